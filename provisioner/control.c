/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/json.h"
#include "provisioner/backoff.h"
#include "provisioner/provision.h"

#define REFUSED_SECONDS 60u /* a refusal lasts until an operator does something */
#define LOOK_SECONDS 15u    /* after the first time through all addresses the network may be the wrong one */
#define LOOK_AGAIN_SECONDS 180u
#define LOOK_AGAIN "/run/repave/look-again"

void node_url(const struct provision *p, const char *call, char url[512])
{
	snprintf(url, 512, "https://%s:%u/v1/nodes/%s/%s", p->config.host, p->config.port, p->identity.uuid, call);
}

struct http *open_control(const struct provision *p, const char *token)
{
	struct http_options options = { .ca_file = p->config.ca_file, .user_agent = "repave-provision", .proxy = p->config.proxy,
					.bearer_token = token[0] != '\0' ? token : NULL,
					/* Reports go the same way, and must not hold a boot up for long. */
					.connect_seconds = 5, .stall_seconds = 15, .answer_seconds = 60 };

	return http_new(&options);
}

/* ------------------------------------------------------------------ boot */
int begin_attempt(struct provision *p)
{
	uint8_t random[NONCE_DIGITS / 2];

	if (p->nonce[0] != '\0')
		return 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return sentence(p->error, -EIO, "the kernel gives no random numbers");
	hex_format(random, sizeof(random), p->nonce);
	return 0;
}

static char *boot_question(const struct provision *p)
{
	json_t *slots = json_object(), *question;
	char *text;

	for (unsigned part = PART_C0; part <= PART_D1; part++) {
		const char *hash = state_slot(&p->state, part_name((enum part)part));

		json_object_set_new(slots, part_name((enum part)part), hash != NULL ? json_string(hash) : json_null());
	}
	question = json_pack("{s:i,s:s,s:s,s:o,s:o}", "format", 1, "nonce", p->nonce, "stage1_version", p->config.version,
			     "inventory", identity_json(&p->identity), "slots", slots);
	if (question != NULL && p->last.known)
		json_object_set_new(question, "last_start", json_pack("{s:s,s:s,s:b}", "nonce", p->last.nonce, "by",
								     start_way_name(p->last.way), "arrived", (int)p->last.arrived));
	if (question != NULL)
		sanitize_tell(p, question);
	/* So that a control unit gives nothing that is to be encrypted to a stage 1 that can't. */
	if (question != NULL)
		json_object_set_new(question, "encryption", json_true());
	if (question != NULL && p->platform.session[0] != '\0')
		json_object_set_new(question, "attestation", json_string(p->platform.session));
	text = question != NULL ? json_format(question) : NULL;
	json_decref(question);
	return text;
}

/* The server's own sentence, when it sent one. Whether it is about what this server proved, and not about who it is. */
static bool server_sentence(const struct buffer *body, char text[160])
{
	char detail[160];
	json_t *json = json_parse(body->data, body->size, detail);
	const char *error = json_get_string(json, "error");
	bool unproved = json_get_string(json, "attestation") != NULL;

	snprintf(text, 160, "%s", error != NULL ? error : "no reason given");
	json_decref(json);
	return unproved;
}

/* One question. 0 with an assignment or a wait; -EACCES when refused; else unreachable or unusable. The sentence is in p->error. */
static int ask_once(struct provision *p)
{
	struct buffer body = { 0 };
	char url[512], detail[160];
	unsigned status = 0;
	char *question;
	int r;

	platform_attest(p);
	question = boot_question(p);
	if (question == NULL)
		return sentence(p->error, -ENOMEM, "out of memory");
	node_url(p, "boot", url);
	r = http_request(p->control, "POST", url, question, ASSIGNMENT_SIZE_MOST, &status, &body);
	free(question);
	p->tls_refused = r == -EACCES; /* not by an answer: the connection */
	p->identity_refused = r == 0 && credential_refused(status);
	if (r < 0) {
		sentence(p->error, r, "the control unit can't be asked: %s", http_error(p->control));
	} else if (status != 200) {
		if (server_sentence(&body, detail))
			p->identity_refused = false;
		r = sentence(p->error, status >= 500 ? -EIO : -EACCES, "control unit %s:%u refuses (%u): %s", p->config.host,
			     p->config.port, status, detail);
	} else {
		r = assignment_parse(body.data, body.size, p->nonce, &p->assignment, detail);
		if (r < 0)
			sentence(p->error, r, "%s", detail);
	}
	if (body.data != NULL)
		explicit_bzero(body.data, body.size); /* keys of partitions may be in it */
	buffer_release(&body);
	return r;
}

/* initramfs/network watches for the file, and tries the other interfaces and DHCP servers. */
static void look_for_network(void)
{
	int fd = open(LOOK_AGAIN, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

int pause_unreachable(struct provision *p, unsigned *rounds)
{
	unsigned seconds;

	if (!config_next_host(&p->config)) {
		console_line(&p->stages, "%s; next is %s", p->error, p->config.host);
		return 0;
	}
	seconds = backoff_seconds(++*rounds);
	/* A network that came late, or another one, may say more. */
	heed_lease(p);
	if (*rounds == 1)
		p->look_at = uptime() + LOOK_SECONDS;
	if (uptime() >= p->look_at) {
		p->look_at = uptime() + LOOK_AGAIN_SECONDS;
		look_for_network();
	}
	if (p->config.unreachable_boot && uptime() - p->heard >= p->config.unreachable_seconds) {
		console_line(&p->stages, "%s; no control unit in %u s", p->error, p->config.unreachable_seconds);
		return -ENETDOWN;
	}
	console_line(&p->stages, "%s; next try in %u s", p->error, seconds);
	sleep(seconds);
	return 0;
}

/* What the questions of one boot have led to so far. */
struct asking {
	unsigned rounds;      /* as pause_unreachable */
	char said[160];       /* the reason to wait that the console said last; "": none */
	bool mended;          /* since the last pause there is another certificate */
};

/* Waiting may take days: it is said once, not each time. */
static unsigned wait_as_told(struct provision *p, struct asking *asking)
{
	unsigned seconds = p->assignment.wait_seconds;

	if (strncmp(asking->said, p->assignment.reason, sizeof(asking->said) - 1) != 0)
		console_line(&p->stages, "waiting for the control unit: %s (asking every %u s)", p->assignment.reason, seconds);
	snprintf(asking->said, sizeof(asking->said), "%s", p->assignment.reason);
	assignment_release(&p->assignment);
	asking->rounds = 0;
	return seconds;
}

/* A refusal that this machine can do something about: by the right time, or by another certificate of its own. 1 to ask again at once; 0
 * when there is nothing to do but wait; -errno. */
static int mend(struct provision *p, struct asking *asking)
{
	int r = p->tls_refused ? doubt_clock(p) : 0;

	if (r != 0) {
		if (r > 0)
			console_line(&p->stages, "%s; trying again with that time", p->error);
		return r;
	}
	/* Once: what doesn't help needs a pause. */
	if (asking->mended || !(p->tls_refused || p->identity_refused))
		return 0;
	if (p->tls_refused) {
		asking->mended = enrol_at_once(p);
		if (asking->mended)
			console_line(&p->stages, "%s; trying again with another certificate of this server's own", p->error);
		return asking->mended;
	}
	/* The control unit may have been restored from a backup that is older than this server's key; else it says why not. */
	console_line(&p->stages, "%s; asking to be let in again", p->error);
	asking->mended = true;
	r = enrol(p);
	return r < 0 ? r : 1;
}

int ask_for_assignment(struct provision *p)
{
	struct asking asking = { 0 };

	for (;;) {
		int r = ask_once(p);

		if (r == 0 || (r == -EACCES && !p->tls_refused))
			p->heard = uptime();
		if ((r == 0 && !p->assignment.wait) || r == -ENOMEM)
			return r;
		if (r == 0 && p->assignment.sanitize[0] != '\0')
			return sanitize(p);
		if (r == 0) {
			sleep(wait_as_told(p, &asking));
			continue;
		}
		asking.said[0] = '\0';
		if (r == -EACCES) {
			int mended = mend(p, &asking);

			if (mended < 0)
				return mended;
			if (mended > 0)
				continue;
		}
		asking.mended = false;
		if (r != -EACCES || p->tls_refused) {
			r = pause_unreachable(p, &asking.rounds);
			if (r < 0)
				return r;
			continue;
		}
		console_line(&p->stages, "%s; next try in %u s", p->error, REFUSED_SECONDS);
		sleep(REFUSED_SECONDS);
	}
}

/* ------------------------------------------------------------------ report */
static json_t *changed_json(const struct install_result *result)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < result->changed_count; i++)
		json_array_append_new(list, json_pack("[I,I]", (json_int_t)result->changed[i].first,
						      (json_int_t)result->changed[i].last));
	return list;
}

static json_t *volume_json(const struct volume *volume)
{
	const struct image_description *image = verified_image_description(volume->image);
	const struct install_result *result = &volume->result;
	char root[65];

	hex_format(image->root_hash, 32, root);
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "slot", part_name(volume->part), "target",
			 verified_image_path(volume->image), "root_hash", root, "blocks", (json_int_t)result->blocks, "kept",
			 (json_int_t)result->kept, "copied", (json_int_t)result->copied, "fetched",
			 (json_int_t)result->fetched, "wire_bytes", (json_int_t)result->wire_bytes, "patch_bytes",
			 (json_int_t)result->patch_bytes, "repaired", (json_int_t)result->repaired, "changed",
			 changed_json(result));
}

json_t *images_json(const struct provision *p)
{
	json_t *list = json_array();

	if (p->c.installed)
		json_array_append_new(list, volume_json(&p->c));
	if (p->d.installed)
		json_array_append_new(list, volume_json(&p->d));
	return list;
}

/* A sentence may end within a character where it was cut, or quote what a server sent: JSON takes neither, and the failure must
 * not arrive without its reason. */
static json_t *error_json(const char *error)
{
	char ascii[SENTENCE];
	json_t *json = json_string(error);

	if (json != NULL)
		return json;
	snprintf(ascii, sizeof(ascii), "%s", error);
	for (char *c = ascii; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(ascii);
}

/* `progress` (taken over) is added unless it is NULL; then, too, nothing is said when it doesn't get through: there will be more. */
static bool send_report(struct provision *p, const char *event, json_t *progress)
{
	bool quiet = progress != NULL;
	json_t *json;
	struct buffer body = { 0 };
	unsigned status = 0;
	char url[512], *text, detail[160];
	int r;

	/* The control unit's record of a boot begins with its answer, or with a failure before that. */
	if (p->nonce[0] == '\0' || (p->assignment.json == NULL && strcmp(event, "failed") != 0)) {
		json_decref(progress);
		return false;
	}
	json = json_pack("{s:i,s:s,s:I,s:s,s:s,s:o,s:o}", "format", 1, "nonce", p->nonce, "assignment",
			 (json_int_t)p->assignment.number, "event", event, "stage",
			 p->stages.current != NULL ? p->stages.current : "boot", "stages", stages_json(&p->stages), "images",
			 images_json(p));
	if (json != NULL && (strcmp(event, "failed") == 0 || p->notice[0] != '\0'))
		json_object_set_new(json, "error", error_json(strcmp(event, "failed") == 0 ? p->error : p->notice));
	if (progress != NULL)
		json_object_set_new(json, "progress", progress);
	text = json != NULL ? json_format(json) : NULL;
	json_decref(json);
	if (text == NULL)
		return false;
	node_url(p, "report", url);
	r = http_request(p->control, "POST", url, text, 4096, &status, &body);
	if (r < 0 && !quiet) {
		console_line(&p->stages, "report not delivered: %s", http_error(p->control));
	} else if (r == 0 && !quiet && status != 204 && status != 200) {
		server_sentence(&body, detail);
		console_line(&p->stages, "report not taken by the control unit (%u): %s", status, detail);
	}
	buffer_release(&body);
	free(text);
	return r == 0;
}

bool report(struct provision *p, const char *event)
{
	return send_report(p, event, NULL);
}

bool report_progress(struct provision *p, json_t *progress)
{
	return progress != NULL && send_report(p, "progress", progress);
}
