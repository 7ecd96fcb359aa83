/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's TPM: it remembers which metadata were newest, proves to the control unit what was booted, and measures what is about to
 * be. Without one all of this is left out. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/provision.h"
#include "signing/sha256.h"

#define PROOF_SECONDS 480.0   /* the control unit takes a proof of the last ten minutes */
#define AGAIN_SECONDS 20.0    /* between two tries that prove nothing */
#define RAISE_SECONDS 3.0     /* a slow TPM takes 20 ms for each step; what is left comes with the next boots */
#define RAISE_STEPS 16u

/* ------------------------------------------------------------------ measuring */
static int add(json_t *events, const char *type, const char *data)
{
	uint8_t digest[TPM_DIGEST];

	sha256_once(data, strlen(data), digest);
	return attest_add_event(events, digest, type, data);
}

static int extend(struct tpm *tpm, const char *data)
{
	uint8_t digest[TPM_DIGEST];

	sha256_once(data, strlen(data), digest);
	return tpm_extend(tpm, ATTEST_PCR, digest);
}

static json_t *load_events(void)
{
	struct buffer text = { 0 };
	json_t *events = file_load(ATTEST_EVENTS, ATTEST_EVENTS_MOST, &text) == 0 ? attest_parse_events(text.data, text.size) : NULL;

	buffer_release(&text);
	return events != NULL ? events : json_array();
}

int platform_note_rescue(const char *path, const char *what, char ret_error[SENTENCE])
{
	struct tpm tpm;
	json_t *events = load_events();
	char *text = NULL;
	int r = tpm_open(path, &tpm);

	if (r == 0)
		r = extend(&tpm, what);
	if (r == 0) {
		r = events != NULL ? add(events, "repave.rescue", what) : -ENOMEM;
		text = r == 0 ? json_format(events) : NULL;
		r = text != NULL ? file_store(ATTEST_EVENTS, text, strlen(text), 0644) : -ENOMEM;
		snprintf(tpm.error, sizeof(tpm.error), "the log of measurements can't be written: %s", strerror(-r));
	}
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		sentence(ret_error, r, "%s", tpm.error);
	tpm_close(&tpm);
	free(text);
	json_decref(events);
	return r;
}

static int plan_kernel(json_t *events, int kernel, uint64_t size)
{
	uint8_t digest[TPM_DIGEST];
	char hex[2 * TPM_DIGEST + 1];
	void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, kernel, 0);

	if (data == MAP_FAILED)
		return -errno;
	sha256_once(data, size, digest);
	munmap(data, size);
	hex_format(digest, sizeof(digest), hex);
	return add(events, "repave.kernel", hex);
}

static int plan_root(json_t *events, const char *type, const struct volume *volume)
{
	char hex[2 * TPM_DIGEST + 1] = "-";

	if (volume->image != NULL && volume->installed)
		hex_format(verified_image_description(volume->image)->root_hash, 32, hex);
	return add(events, type, hex);
}

int platform_plan(struct provision *p, const struct buffer *cmdline, int kernel, uint64_t kernel_size)
{
	struct platform *platform = &p->platform;
	char number[24];
	int r;

	json_decref(platform->planned);
	platform->planned = NULL;
	if (!platform->present)
		return 0;
	/* A reset empties the PCR, and what the firmware starts then is in its own log. */
	platform->planned = p->start == START_RESET ? json_array() : json_deep_copy(platform->events);
	if (platform->planned == NULL)
		return sentence(p->error, -ENOMEM, "out of memory");
	if (p->start == START_RESET)
		return 0;
	snprintf(number, sizeof(number), "%" PRIu64, p->assignment.number);
	r = add(platform->planned, "repave.assignment", number);
	if (r == 0)
		r = plan_root(platform->planned, "repave.os", &p->c);
	if (r == 0)
		r = plan_root(platform->planned, "repave.app", &p->d);
	if (r == 0)
		r = add(platform->planned, "repave.cmdline", (const char *)cmdline->data);
	if (r == 0)
		r = plan_kernel(platform->planned, kernel, kernel_size);
	return r < 0 ? sentence(p->error, r, "what is to be measured can't be written down: %s", strerror(-r)) : 0;
}

/* The TPM couldn't be asked when this boot began, and can now, or in the system: nobody there shall measure what a proof of stage 1 would have. */
static void spoil(struct provision *p, const char *path)
{
	struct tpm tpm;

	if (tpm_open(path, &tpm) < 0)
		return;
	if (extend(&tpm, "repave.unproved") < 0)
		console_line(&p->stages, "not measured: %s", tpm.error);
	tpm_close(&tpm);
}

int platform_measure(struct provision *p, const char *path)
{
	struct platform *platform = &p->platform;
	size_t done = json_array_size(platform->events);
	int r = 0;

	if (!platform->present)
		spoil(p, path);
	if (!platform->present || platform->planned == NULL)
		return 0;
	for (; r == 0 && done < json_array_size(platform->planned); done++) {
		json_t *event = json_array_get(platform->planned, done);

		r = extend(&platform->tpm, json_get_string(json_object_get(event, "content"), "data"));
		if (r == 0)
			json_array_append(platform->events, event);
	}
	tpm_close(&platform->tpm);
	if (r == 0)
		return 0;
	console_line(&p->stages, "not measured: %s", platform->tpm.error);
	return platform->proved ? sentence(p->error, r, "what it proved itself for can't be measured") : 0;
}

/* ------------------------------------------------------------------ the floor */
/* Whoever removed the counter, and whyever it can't be had: such a boot isn't one that can prove itself. */
static void lose_floor(struct provision *p, const char *why)
{
	struct platform *platform = &p->platform;

	sentence(platform->floor_lost, 0, "the TPM keeps no counter against old metadata: %.300s", why);
	platform->floor = 0;
	console_line(&p->stages, "%s", platform->floor_lost);
	if (extend(&platform->tpm, platform->floor_lost) < 0 || add(platform->events, "repave.floor", platform->floor_lost) < 0)
		console_line(&p->stages, "not measured: %s", platform->tpm.error);
}

int platform_check_floor(struct provision *p)
{
	struct platform *platform = &p->platform;
	uint64_t version = tuf_client_version(p->tuf, "snapshot");
	char why[SENTENCE];

	if (platform->floor_made && platform->floor > version) {
		sentence(why, 0, "a new one begins at %" PRIu64 ", beyond version %" PRIu64 " of the metadata: the former one was removed, or others "
			 "counted with this TPM", platform->floor, version);
		/* Else the next boot would take it for ours, and start nothing any more. */
		if (tpm_floor_remove(&platform->tpm) < 0)
			console_line(&p->stages, "%s", platform->tpm.error);
		lose_floor(p, why);
	}
	platform->floor_made = false;
	if (platform->floor_lost[0] != '\0' && strstr(p->notice, platform->floor_lost) == NULL)
		add_notice(p, platform->floor_lost);
	if (version >= platform->floor)
		return 0;
	return sentence(p->error, -EBADMSG, "the repository's metadata is refused: snapshot.json has version %" PRIu64 ", and this server's TPM "
			"remembers version %" PRIu64 ": somebody offers an older set of images", version, platform->floor);
}

void platform_raise_floor(struct provision *p)
{
	struct platform *platform = &p->platform;
	uint64_t version = tuf_client_version(p->tuf, "snapshot");
	double end = uptime() + RAISE_SECONDS;
	int r = 0;

	while (r == 0 && platform->floor > 0 && platform->floor < version && uptime() < end)
		r = tpm_floor_raise(&platform->tpm, version, RAISE_STEPS, &platform->floor);
	if (r < 0)
		console_line(&p->stages, "the TPM doesn't remember these metadata: %s", platform->tpm.error);
	else if (platform->floor > 0 && platform->floor < version)
		console_line(&p->stages, "the TPM's counter is at %" PRIu64 " of %" PRIu64 "; the next boots go on", platform->floor, version);
}

static void open_floor(struct provision *p)
{
	struct platform *platform = &p->platform;
	char why[TPM_ERROR];

	if (!p->config.tpm_floor || tpm_floor(&platform->tpm, &platform->floor, &platform->floor_made) == 0)
		return;
	memcpy(why, platform->tpm.error, sizeof(why));
	platform->floor_made = false;
	lose_floor(p, why);
}

/* ------------------------------------------------------------------ proving */
/* What the TPM or the control unit said: once, not at each try. */
static void say(struct provision *p, const char *what, const char *why)
{
	char text[ATTEST_TEXT];

	snprintf(text, sizeof(text), "%s%.200s", what, why);
	if (strcmp(text, p->platform.said) != 0)
		console_line(&p->stages, "%s", text);
	memcpy(p->platform.said, text, sizeof(text));
}

/* A question of either kind. 0 with status 200; -ENOSYS where the control unit knows no such call; else -errno after a line. */
static int ask(struct provision *p, const char *call, const char *body, struct buffer *ret_answer)
{
	char url[512], detail[160];
	unsigned status = 0;
	json_t *json;
	int r;

	node_url(p, call, url);
	r = http_request(p->control, "POST", url, body, ATTEST_ANSWER_MOST, &status, ret_answer);
	if (r < 0) {
		say(p, "not attested: ", http_error(p->control));
		return r;
	}
	if (status == 200)
		return 0;
	if (status == 404 || status == 405 || status == 501)
		return -ENOSYS;
	json = json_parse(ret_answer->data, ret_answer->size, detail);
	say(p, "not attested: ", json_get_string(json, "error") != NULL ? json_get_string(json, "error") : "the control unit refuses");
	json_decref(json);
	return -EIO;
}

static int prove(struct provision *p, const struct attest_task *task)
{
	struct platform *platform = &p->platform;
	struct attest_verdict verdict;
	struct buffer answer = { 0 };
	char *body;
	int r = attest_prove(&platform->tpm, task, &platform->firmware_log, platform->events, &body);

	if (r < 0) {
		say(p, "not attested: ", platform->tpm.error);
		return r;
	}
	r = ask(p, "quote", body, &answer);
	free(body);
	if (r == 0)
		r = attest_verdict_parse(answer.data, answer.size, &verdict);
	buffer_release(&answer);
	if (r < 0)
		return r;
	memcpy(platform->session, task->session, sizeof(platform->session));
	platform->proved = verdict.attested;
	say(p, verdict.attested ? "attested: " : "NOT attested: ", verdict.text);
	return 0;
}

void platform_attest(struct provision *p)
{
	struct platform *platform = &p->platform;
	char error[ATTEST_TEXT];
	struct attest_task task;
	struct buffer answer = { 0 };
	int r = 0;

	if (!platform->present || platform->unasked ||
	    (platform->asked_at > 0 && uptime() - platform->asked_at < (platform->proved ? PROOF_SECONDS : AGAIN_SECONDS)))
		return;
	platform->asked_at = uptime();
	platform->session[0] = '\0';
	platform->proved = false;
	if (platform->question == NULL)
		r = attest_identify(&platform->tpm, &platform->question);
	if (r < 0) {
		say(p, "not attested: ", platform->tpm.error);
		return;
	}
	r = ask(p, "attest", platform->question, &answer);
	if (r == -ENOSYS)
		platform->unasked = true;
	if (r == 0 && attest_task_parse(answer.data, answer.size, true, &task, error) < 0) {
		say(p, "not attested: ", error);
		r = -EINVAL;
	}
	buffer_release(&answer);
	if (r == 0)
		prove(p, &task);
}

void platform_open(struct provision *p, const char *path)
{
	struct platform *platform = &p->platform;
	uint8_t values[TPM_PCRS][TPM_DIGEST];
	int r = tpm_open(path, &platform->tpm);

	if (r == 0)
		r = tpm_pcrs(&platform->tpm, 1u << ATTEST_PCR, values);
	platform->events = r == 0 ? load_events() : NULL;
	platform->present = platform->events != NULL;
	if (!platform->present) {
		console_line(&p->stages, "no TPM: what boots here can't be proved%s%s", r == -ENOENT ? "" : ": ", r == -ENOENT ? "" : platform->tpm.error);
		tpm_close(&platform->tpm);
		return;
	}
	attest_firmware_log(ATTEST_FIRMWARE_LOG, &platform->firmware_log);
	open_floor(p);
	console_line(&p->stages, "TPM 2.0, firmware's log %zu bytes%s", platform->firmware_log.size,
		     json_array_size(platform->events) > 0 ? ", and this boot was measured as one that can't attest" : "");
}
