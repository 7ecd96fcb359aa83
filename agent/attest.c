/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/attest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/tls.h"
#include "common/attest-tpm.h"
#include "common/file.h"
#include "common/log.h"

#define PROVED_MS (6 * 3600 * 1000LL)  /* until it is proved again */
#define REFUSED_MS (3600 * 1000LL)     /* until somebody may have done something about it */
#define FAILED_MS (300 * 1000LL)
#define BODY_MOST 65536u

void attester_open(struct attester *attester, const char *device, const char *events)
{
	*attester = (struct attester){ .device = device, .events = events, .output = -1 };
}

static void end_process(struct attester *attester, int how)
{
	if (attester->process <= 0)
		return;
	if (how != 0)
		kill(attester->process, how);
	while (waitpid(attester->process, NULL, 0) < 0 && errno == EINTR)
		;
	close(attester->output);
	attester->process = 0;
	attester->output = -1;
}

void attester_close(struct attester *attester)
{
	end_process(attester, SIGKILL);
	buffer_release(&attester->body);
}

/* ------------------------------------------------------------------ the process that asks the TPM */
static int load_events(const char *path, json_t **ret_events)
{
	struct buffer text = { 0 };
	int r = file_load(path, ATTEST_EVENTS_MOST, &text);

	/* Where stage 1 measured nothing, there is no file. */
	*ret_events = r == -ENOENT ? json_array() : r == 0 ? attest_parse_events(text.data, text.size) : NULL;
	buffer_release(&text);
	return *ret_events != NULL ? 0 : r < 0 ? r : -EBADMSG;
}

static int prove(const struct attester *attester, const struct attest_task *task, int output)
{
	struct buffer no_log = { 0 };
	struct tpm tpm;
	json_t *events = NULL;
	char *body = NULL;
	int r = tpm_open(attester->device, &tpm);

	if (r < 0)
		return log_error(0, "not attested: %s", tpm.error), r;
	r = load_events(attester->events, &events);
	if (r < 0)
		log_error(r, "not attested: %s", attester->events);
	/* The firmware's log went with stage 1's proof; its PCRs can't have changed since without a reset. */
	if (r == 0 && (r = attest_prove(&tpm, task, &no_log, events, &body)) < 0)
		log_error(0, "not attested: %s", tpm.error);
	for (size_t done = 0, size = body != NULL ? strlen(body) : 0; r == 0 && done < size;) {
		ssize_t n = write(output, body + done, size - done);

		if (n < 0 && errno != EINTR)
			r = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	free(body);
	json_decref(events);
	tpm_close(&tpm);
	return r;
}

static int begin(struct attester *attester, const struct attest_task *task)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	attester->body.size = 0;
	attester->process = fork();
	if (attester->process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		_exit(prove(attester, task, ends[1]) < 0 ? 1 : 0);
	}
	close(ends[1]);
	if (attester->process < 0) {
		attester->process = 0;
		close(ends[0]);
		return -errno;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	attester->output = ends[0];
	return 0;
}

/* ------------------------------------------------------------------ the agent's side */
void attester_run(struct attester *attester)
{
	char piece[4096];
	ssize_t n = -1;

	if (attester->process == 0)
		return;
	while ((n = read(attester->output, piece, sizeof(piece))) > 0)
		if (attester->body.size + (size_t)n > BODY_MOST || buffer_add(&attester->body, piece, (size_t)n) < 0) {
			end_process(attester, SIGKILL);
			return;
		}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* It ended, and said why if it has nothing. A body that was cut isn't JSON: the control unit refuses it. */
	end_process(attester, 0);
	attester->ready = attester->body.size > 0;
	attester->at = steady_ms() + (attester->ready ? 0 : FAILED_MS);
}

enum transport_kind attester_due(struct attester *attester, const char **ret_body)
{
	if (!attester->heard || attester->off || attester->process != 0 || steady_ms() < attester->at)
		return 0;
	/* Until there is an answer; if none comes, all begins anew. */
	attester->at = steady_ms() + FAILED_MS;
	if (attester->ready) {
		attester->ready = false;
		*ret_body = (const char *)attester->body.data;
		return TRANSPORT_QUOTE;
	}
	if (access(attester->device, F_OK) < 0) {
		attester->off = true;
		return 0;
	}
	*ret_body = "{\"format\":1}";
	return TRANSPORT_ATTEST;
}

static void take_task(struct attester *attester, const struct transport_reply *reply)
{
	char error[ATTEST_TEXT];
	struct attest_task *task = malloc(sizeof(*task));

	if (task == NULL)
		return;
	if (attest_task_parse(reply->text, reply->size, false, task, error) < 0)
		log_warning("not attested: %s", error);
	else if (begin(attester, task) < 0)
		log_warning("not attested: no process to ask the TPM");
	free(task);
}

void attester_take(struct attester *attester, enum transport_kind kind, const struct transport_reply *reply)
{
	struct attest_verdict verdict;

	/* 403: stage 1 proved nothing in this boot. */
	if (reply->status == 403 || reply->status == 404 || reply->status == 405 || reply->status == 501) {
		attester->off = true;
	} else if (reply->status != 200) {
		log_warning("not attested: the control unit answers with status %u: %.200s", reply->status, reply->text);
	} else if (kind == TRANSPORT_ATTEST) {
		take_task(attester, reply);
	} else if (attest_verdict_parse(reply->text, reply->size, &verdict) < 0) {
		log_warning("not attested: the control unit's answer isn't sound");
	} else {
		log_info("%s: %s", verdict.attested ? "attested" : "NOT attested", verdict.text);
		attester->at = steady_ms() + (verdict.attested ? PROVED_MS : REFUSED_MS);
	}
}
