/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent: in the running OS. This process, root, measures, looks for what shouldn't be there, and carries out orders; a second one,
 * without rights, speaks with the control unit (transport.h), a third one asks dm-verity (verity.h). One loop, nothing in it waits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/actions.h"
#include "agent/attest.h"
#include "agent/channel.h"
#include "agent/exporter.h"
#include "agent/gather.h"
#include "agent/look.h"
#include "agent/options.h"
#include "agent/prober.h"
#include "agent/report.h"
#include "agent/request.h"
#include "agent/transport.h"
#include "common/confine.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

#define NOBODY 65534
#define ANSWER_SPARE_MS 10000  /* beyond twice the time for which an answer may be held */
#define PAUSE_MS 200           /* between an answer and the next status */
#define NEWS_MS 500            /* the next status waits so long for orders that end soon */
#define CREDENTIAL_MS 10000    /* between two looks for one */
#define STOP_MS 15000          /* a stop waits so long until the control unit knows of it */
#define RENEW_AGAIN_SECONDS 300
#define LOG_MS 60000           /* as long an order's log is kept for the control unit */
#define LOG_BODY_MOST 64000u
#define EVIDENCE_PIECE (40u * 1024)

static volatile sig_atomic_t ended;

struct agent {
	struct options options;
	char node[37];
	struct channel channel;
	struct gatherer gatherer;
	struct measures measures;
	struct look look;
	struct prober prober;
	struct attester attester;
	struct action_job job;
	struct transport transport;
	struct exporter exporter;
	struct user_asks asks;
	enum transport_kind asked;
	int64_t post_at;         /* when the next status goes */
	char *log_body;          /* what an order asked for, to be sent; NULL: none */
	uint64_t log_order;
	int64_t log_until;       /* nobody waits for it any longer */
	int evidence;            /* the file that is sent piece by piece, as log_body; -1: none */
	uint64_t evidence_sent, evidence_size;
	size_t evidence_piece;
	unsigned evidence_seconds;
	bool complained;         /* the log has the reason why there is no connection */
	bool maimed;             /* it ends because one of its processes did */
	enum order_action stop;  /* to be done when its answer has got through: ACTION_REBOOT, ACTION_SHUTDOWN; else ACTION_INVALID */
	uint64_t stop_order;
	int64_t stop_at;
};

static void end(int number)
{
	(void)number;
	ended = 1;
}

/* ------------------------------------------------------------------ start */
static int find_node(struct agent *agent)
{
	struct buffer cmdline = { 0 };
	const char *id = agent->options.node;
	int r = 0;

	if (id == NULL) {
		r = file_load("/proc/cmdline", 1 << 16, &cmdline);
		if (r == 0)
			r = cmdline_word((const char *)cmdline.data, "repave.node", agent->node, sizeof(agent->node));
		id = agent->node;
	}
	buffer_release(&cmdline);
	if (r < 0)
		return log_error(0, "the kernel command line has no repave.node=: Repave's stage 1 starts this system, or give --node ID"), r;
	if (strlen(id) < 1 || strlen(id) > 36 || strspn(id, "0123456789abcdef-") != strlen(id))
		return log_error(0, "\"%s\" isn't a node's id: 1 to 36 of 0-9, a-f and '-'", id), -EINVAL;
	memmove(agent->node, id, strlen(id) + 1);
	return 0;
}

static void store_state(struct agent *agent)
{
	char path[512], *text = channel_state_format(&agent->channel);
	int r;

	snprintf(path, sizeof(path), "%s/state.json", agent->options.places.state);
	r = text != NULL ? file_store(path, text, strlen(text), 0600) : -ENOMEM;
	if (r < 0)
		log_error(r, "can't write %s: an order may be carried out again if this program ends now", path);
	free(text);
}

/* True when an earlier life of this program left its state. */
static bool load_state(struct agent *agent)
{
	struct buffer text = { 0 };
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/state.json", agent->options.places.state);
	r = file_load(path, STATE_BYTES_MOST, &text);
	if (r == 0 && channel_state_parse(&agent->channel, text.data, text.size) < 0)
		log_warning("%s isn't sound: orders are taken as if there had been none", path);
	buffer_release(&text);
	return r == 0;
}

static int agent_open(struct agent *agent)
{
	char *boot_id = read_line_of("/proc/sys/kernel/random/boot_id");
	bool again;
	int r = find_node(agent);

	if (r == 0)
		r = make_folders(agent->options.places.state, 0700);
	if (r < 0) {
		free(boot_id);
		return log_error(r, "can't start; see agent --help");
	}
	exporter_open(&agent->exporter, agent->options.places.metrics, NOBODY);
	gather(&agent->gatherer, &agent->options.places, &agent->measures);
	channel_init(&agent->channel, boot_id != NULL ? boot_id : "", agent->measures.uptime);
	free(boot_id);
	again = load_state(agent);
	if (!again)
		store_state(agent);
	attester_open(&agent->attester, agent->options.places.tpm, agent->options.places.events);
	look_open(&agent->look, &agent->options.places, &agent->channel, again);
	agent->look.own_port = agent->exporter.socket >= 0 ? agent->exporter.port : 0;
	agent->transport.fd = -1;
	return 0;
}

/* ------------------------------------------------------------------ connection */
static int load_credential_file(const struct agent *agent, const char *name, struct buffer *ret_text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", agent->options.places.credential, name);
	return file_load(path, 65536, ret_text);
}

static int load_credential(const struct agent *agent, struct credential *ret_credential, struct transport_options *ret_options)
{
	struct buffer addresses = { 0 };
	int r = load_credential_file(agent, "ca.pem", &ret_credential->ca);

	if (r == 0)
		r = load_credential_file(agent, "certificate.pem", &ret_credential->certificate);
	if (r == 0)
		r = load_credential_file(agent, "key.pem", &ret_credential->key);
	if (r == 0)
		r = load_credential_file(agent, "addresses", &addresses);
	if (r == 0)
		r = addresses.data != NULL ? addresses_parse((char *)addresses.data, ret_options->addresses, &ret_options->address_count) :
			-EINVAL;
	buffer_release(&addresses);
	return r;
}

static void release_credential(struct credential *credential)
{
	if (credential->key.data != NULL)
		explicit_bzero(credential->key.data, credential->key.size);
	buffer_release(&credential->ca);
	buffer_release(&credential->certificate);
	buffer_release(&credential->key);
}

/* Says a reason once, not at each try. */
static void complain(struct agent *agent, const char *text)
{
	if (!agent->complained)
		log_warning("%s; trying again", text);
	agent->complained = true;
}

static bool open_transport(struct agent *agent)
{
	struct transport_options options = { .user = NOBODY };
	struct credential credential = { 0 };
	char error[TLS_ERROR + 64] = "";
	int r = load_credential(agent, &credential, &options);

	if (r < 0) {
		snprintf(error, sizeof(error), "no credential in %.100s (%s): stage 1 leaves it there", agent->options.places.credential,
			 r == -EINVAL ? "addresses isn't lines of HOST PORT" : strerror(-r));
	} else {
		options.credential = &credential;
		memcpy(options.node, agent->node, sizeof(options.node));
		r = transport_start(&agent->transport, &options, error);
	}
	release_credential(&credential);
	if (r < 0) {
		complain(agent, error);
		agent->post_at = steady_ms() + CREDENTIAL_MS;
	}
	return r == 0;
}

static void connection_failed(struct agent *agent, const char *why)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint32_t)steady_ms();
	complain(agent, why);
	channel_status_failed(&agent->channel);
	agent->post_at = steady_ms() + channel_wait_ms(agent->channel.failures, agent->channel.interval, random);
}

static void post_status(struct agent *agent)
{
	size_t alarms = channel_status_begin(&agent->channel);
	char *text;
	int r;

	agent->measures.draining = access(agent->options.places.drain, F_OK) == 0;
	text = status_format(&agent->channel, alarms, &agent->measures, agent->asks.complete ? agent->asks.user : NULL, agent->asks.os);
	agent->asks.sent = agent->asks.complete;
	r = text != NULL ? transport_send(&agent->transport, TRANSPORT_STATUS, text, strlen(text),
					  2 * agent->channel.interval * 1000 + ANSWER_SPARE_MS) : -ENOMEM;
	free(text);
	agent->asked = TRANSPORT_STATUS;
	if (r < 0) {
		transport_stop(&agent->transport);
		connection_failed(agent, strerror(-r));
	}
}

/* Between two statuses, on the same connection. */
static void post_log(struct agent *agent)
{
	agent->asked = agent->evidence >= 0 ? TRANSPORT_EVIDENCE : TRANSPORT_LOG;
	if (transport_send(&agent->transport, agent->asked, agent->log_body, strlen(agent->log_body), ANSWER_SPARE_MS) == 0)
		return;
	transport_stop(&agent->transport);
	connection_failed(agent, "the network process is gone");
}

/* Whether something was sent. */
static bool post_proof(struct agent *agent)
{
	const char *body;
	enum transport_kind kind = attester_due(&agent->attester, &body);

	if (kind == 0)
		return false;
	agent->asked = kind;
	if (transport_send(&agent->transport, kind, body, strlen(body), ANSWER_SPARE_MS) < 0) {
		transport_stop(&agent->transport);
		connection_failed(agent, "the network process is gone");
	}
	return true;
}

static void post_if_due(struct agent *agent)
{
	if (agent->transport.busy || steady_ms() < agent->post_at)
		return;
	/* Its time is short, and the system's too. */
	if (agent->evidence >= 0 && agent->log_body != NULL && agent->transport.process != 0) {
		post_log(agent);
		return;
	}
	/* An order that ends in a moment brings its answer along. */
	if (agent->job.process != 0 && steady_ms() < agent->post_at + NEWS_MS)
		return;
	gather(&agent->gatherer, &agent->options.places, &agent->measures);
	exporter_publish(&agent->exporter, &agent->measures);
	look_now(&agent->look, &agent->measures);
	if (agent->transport.process == 0 && !open_transport(agent))
		return;
	if (time(NULL) >= agent->transport.renew_at) {
		agent->transport.renew_at = time(NULL) + RENEW_AGAIN_SECONDS;
		agent->asked = TRANSPORT_RENEW;
		if (transport_send(&agent->transport, TRANSPORT_RENEW, "", 0, ANSWER_SPARE_MS) == 0)
			return;
		transport_stop(&agent->transport);
		connection_failed(agent, "the network process is gone");
		return;
	}
	if (agent->log_body != NULL) {
		post_log(agent);
		return;
	}
	if (!post_proof(agent))
		post_status(agent);
}

/* ------------------------------------------------------------------ answers */
/* From now on another one is asked first. */
static void take_monitor(struct agent *agent, const char *line)
{
	struct buffer text = { 0 }, changed = { 0 };
	char path[512];
	int r = load_credential_file(agent, "addresses", &text);

	snprintf(path, sizeof(path), "%s/addresses", agent->options.places.credential);
	if (r == 0)
		r = addresses_prefer(text.data != NULL ? (const char *)text.data : "", line, &changed);
	if (r == 0)
		r = file_store(path, changed.data, changed.size, 0600);
	if (r < 0) {
		log_error(r, "can't take the monitor that the control unit names");
	} else {
		log_info("the control unit is spoken with by way of the monitor at %.*s", (int)strcspn(line, " "), line);
		transport_stop(&agent->transport);
	}
	buffer_release(&changed);
	buffer_release(&text);
}

static void take_status_answer(struct agent *agent, const struct transport_reply *reply)
{
	struct control_answer *answer = malloc(sizeof(*answer));
	char error[160], text[320];

	if (answer == NULL) {
		connection_failed(agent, "out of memory");
	} else if (reply->status != 200) {
		snprintf(text, sizeof(text), "the control unit answers with status %u: %.200s", reply->status, reply->text);
		connection_failed(agent, text);
	} else if (control_answer_parse(reply->text, reply->size, answer, error) < 0) {
		snprintf(text, sizeof(text), "the control unit's answer isn't sound: %s", error);
		connection_failed(agent, text);
	} else {
		if (agent->complained || agent->channel.sequence == 0)
			log_info("connected to the control unit");
		agent->complained = false;
		agent->attester.heard = true;
		channel_status_answered(&agent->channel, answer);
		if (answer->monitor[0] != '\0')
			take_monitor(agent, answer->monitor);
		agent->post_at = steady_ms() + PAUSE_MS;
		if (answer->has_verdict && agent->asks.sent)
			user_asks_answer(&agent->asks, answer->request_taken, answer->request_text);
	}
	agent->asks.sent = false;
	free(answer);
}

/* A certificate that doesn't fit the key would lock this server out: the network process looks at it before it counts. */
static int check_certificate(const struct agent *agent, const char *pem)
{
	struct transport_options options = { 0 };
	struct credential credential = { 0 };
	char error[TLS_ERROR];
	struct tls *tls = NULL;
	int r = load_credential(agent, &credential, &options);

	buffer_release(&credential.certificate);
	if (r == 0)
		r = buffer_add(&credential.certificate, pem, strlen(pem));
	if (r == 0)
		tls = tls_new(&credential, error);
	if (r == 0 && tls == NULL)
		r = -EINVAL;
	tls_free(tls);
	release_credential(&credential);
	return r;
}

static void take_certificate(struct agent *agent, const struct transport_reply *reply)
{
	char error[160], path[512];
	json_t *json = reply->status == 200 ? json_parse(reply->text, reply->size, error) : NULL;
	const char *pem = json_get_string(json, "certificate");
	int r = pem != NULL ? check_certificate(agent, pem) : -EPROTO;

	snprintf(path, sizeof(path), "%s/certificate.pem", agent->options.places.credential);
	if (r == 0)
		r = file_store(path, pem, strlen(pem), 0600);
	if (r < 0)
		log_error(r, "no new certificate from the control unit (status %u); trying again in %d s", reply->status, RENEW_AGAIN_SECONDS);
	else
		transport_stop(&agent->transport); /* the next status is sent with the new one */
	json_decref(json);
}

static void end_order(struct agent *agent, uint64_t number, enum order_result result, const char *text);

static void end_log(struct agent *agent, enum order_result result, const char *text)
{
	char path[512];

	free(agent->log_body);
	agent->log_body = NULL;
	if (agent->evidence >= 0) {
		close(agent->evidence);
		action_evidence_path(&agent->options.places, path);
		unlink(path);
		agent->evidence = -1;
	}
	end_order(agent, agent->log_order, result, text);
}

/* NULL when it can't be read. */
static char *evidence_body(struct agent *agent)
{
	struct buffer encoded = { 0 };
	char piece[EVIDENCE_PIECE], *body = NULL;
	ssize_t size = pread(agent->evidence, piece, sizeof(piece), (off_t)agent->evidence_sent);
	json_t *json;

	if (size >= 0 && base64_format(piece, (size_t)size, &encoded) == 0) {
		bool last = size == 0 || agent->evidence_sent + (uint64_t)size >= agent->evidence_size;

		agent->evidence_piece = (size_t)size;
		json = json_pack("{s:i,s:I,s:I,s:b,s:s}", "format", 1, "order", (json_int_t)agent->log_order, "offset", (json_int_t)agent->evidence_sent,
				 "last", (int)last, "data", size > 0 ? (const char *)encoded.data : "");
		body = json != NULL ? json_format(json) : NULL;
		json_decref(json);
	}
	buffer_release(&encoded);
	return body;
}

static void send_evidence(struct agent *agent)
{
	free(agent->log_body);
	agent->log_body = evidence_body(agent);
	agent->post_at = steady_ms();
	if (agent->log_body == NULL)
		end_log(agent, RESULT_FAILED, "what was gathered can't be read");
}

static void take_evidence_answer(struct agent *agent, const struct transport_reply *reply)
{
	char text[RESULT_TEXT_MOST + 1];

	agent->post_at = steady_ms();
	if (reply->status != 200) {
		snprintf(text, sizeof(text), "the control unit answers with status %u: %.100s", reply->status, reply->text);
		end_log(agent, RESULT_FAILED, text);
		return;
	}
	agent->evidence_sent += agent->evidence_piece;
	if (agent->evidence_sent < agent->evidence_size) {
		send_evidence(agent);
		return;
	}
	snprintf(text, sizeof(text), "sent %llu bytes", (unsigned long long)agent->evidence_sent);
	end_log(agent, RESULT_DONE, text);
}

/* Also of one that was ended: what it has written so far is more than nothing. */
static bool begin_evidence(struct agent *agent)
{
	char path[512];
	struct stat st;

	action_evidence_path(&agent->options.places, path);
	agent->evidence = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (agent->evidence < 0 || fstat(agent->evidence, &st) < 0 || st.st_size == 0) {
		if (agent->evidence >= 0)
			close(agent->evidence);
		agent->evidence = -1;
		return false;
	}
	agent->evidence_size = (uint64_t)st.st_size;
	agent->evidence_sent = 0;
	agent->log_order = agent->job.order;
	agent->log_until = steady_ms() + agent->evidence_seconds * 1000;
	send_evidence(agent);
	return true;
}

static void take_log_answer(struct agent *agent, const struct transport_reply *reply)
{
	char text[RESULT_TEXT_MOST + 1];

	agent->post_at = steady_ms();
	snprintf(text, sizeof(text), "the control unit answers with status %u: %.100s", reply->status, reply->text);
	if (reply->status == 204 || reply->status == 200)
		end_log(agent, RESULT_DONE, "sent");
	else
		end_log(agent, RESULT_FAILED, text);
}

static void receive(struct agent *agent)
{
	struct transport_reply reply;
	int r = agent->transport.busy ? transport_receive(&agent->transport, &reply) : 0;

	if (r == 0)
		return;
	if (r < 0) {
		transport_stop(&agent->transport);
		connection_failed(agent, r == -ETIMEDOUT ? "the network process doesn't answer" : "the network process ended");
	} else if (reply.result < 0) {
		connection_failed(agent, reply.text);
	} else if (agent->asked == TRANSPORT_RENEW) {
		take_certificate(agent, &reply);
	} else if (agent->asked == TRANSPORT_EVIDENCE) {
		take_evidence_answer(agent, &reply);
	} else if (agent->asked == TRANSPORT_LOG) {
		take_log_answer(agent, &reply);
	} else if (agent->asked == TRANSPORT_ATTEST || agent->asked == TRANSPORT_QUOTE) {
		attester_take(&agent->attester, agent->asked, &reply);
		agent->post_at = steady_ms();
	} else {
		take_status_answer(agent, &reply);
	}
}

/* ------------------------------------------------------------------ orders */
static void end_order(struct agent *agent, uint64_t number, enum order_result result, const char *text)
{
	log_info("order %llu: %s: %s", (unsigned long long)number, order_result_name(result), text);
	channel_end_order(&agent->channel, number, result, text);
	store_state(agent);
}

static void begin_order(struct agent *agent, const struct order *order)
{
	char text[RESULT_TEXT_MOST + 1] = "";
	enum order_result result;
	bool started;

	/* Before anything else: it isn't begun twice, whatever happens to this program. */
	store_state(agent);
	if (order->action == ACTION_REBOOT || order->action == ACTION_SHUTDOWN) {
		agent->stop = order->action;
		agent->stop_order = order->number;
		agent->stop_at = steady_ms() + STOP_MS;
		end_order(agent, order->number, RESULT_DONE, order->action == ACTION_REBOOT ? "restarting" : "shutting down");
		return;
	}
	agent->evidence_seconds = order->seconds;
	result = action_start(&agent->job, &agent->options.places, order, &started, text);
	if (!started)
		end_order(agent, order->number, result, text);
}

static void stop_if_told(struct agent *agent)
{
	char text[RESULT_TEXT_MOST + 1];
	enum order_action action = agent->stop;

	if (action == ACTION_INVALID || (!channel_was_told(&agent->channel, agent->stop_order) && steady_ms() < agent->stop_at))
		return;
	agent->stop = ACTION_INVALID;
	log_info("the control unit's order: %s", action == ACTION_REBOOT ? "restart" : "shutdown");
	if (action_stop(&agent->options.places, action, text) < 0) {
		log_error(0, "%s", text);
		channel_alarm(&agent->channel, time(NULL), "stop", text);
	}
}

/* Escapes take room that the text doesn't show: it is cut from its beginning until it fits into a request. */
static char *log_body(const struct action_job *job)
{
	size_t size;
	const char *text = tail_text(&job->log, &size);

	for (; size > 0; text_halve(&text, &size)) {
		json_t *json = json_pack("{s:i,s:s,s:s%}", "format", 1, "kind", job->log_kind, "text", text, size);
		char *body = json != NULL ? json_format(json) : NULL;

		json_decref(json);
		if (body == NULL || strlen(body) <= LOG_BODY_MOST)
			return body;
		free(body);
	}
	return NULL;
}

/* An order's process has ended. What a log wrote goes to the control unit before the order counts as done. */
static void end_job(struct agent *agent, enum order_result result)
{
	struct action_job *job = &agent->job;
	char *body = result == RESULT_DONE && job->log.data != NULL ? log_body(job) : NULL;
	bool is_log = job->log.data != NULL;

	free(job->log.data);
	job->log.data = NULL;
	if (job->is_evidence && begin_evidence(agent))
		return;
	if (body == NULL) {
		end_order(agent, job->order, result, is_log && result == RESULT_DONE ? "there is nothing in it" : job->text);
		return;
	}
	agent->log_body = body;
	agent->log_order = job->order;
	agent->log_until = steady_ms() + LOG_MS;
	agent->post_at = steady_ms();
}

static void obey(struct agent *agent)
{
	enum order_result result;
	struct order *order;

	if (agent->job.process != 0 && action_ended(&agent->job, &result))
		end_job(agent, result);
	if (agent->log_body != NULL && !(agent->transport.busy && agent->asked == (agent->evidence >= 0 ? TRANSPORT_EVIDENCE : TRANSPORT_LOG)) && steady_ms() > agent->log_until)
		end_log(agent, RESULT_FAILED, "the control unit couldn't be reached with it");
	stop_if_told(agent);
	order = agent->job.process == 0 && agent->log_body == NULL && agent->stop == ACTION_INVALID ? malloc(sizeof(*order)) : NULL;
	while (order != NULL && agent->job.process == 0 && agent->log_body == NULL && agent->stop == ACTION_INVALID &&
	       channel_begin_order(&agent->channel, time(NULL), order))
		begin_order(agent, order);
	free(order);
}

/* ------------------------------------------------------------------ the loop */
static void wait_for_news(struct agent *agent)
{
	struct pollfd files[] = {
		{ .fd = agent->transport.busy ? agent->transport.fd : -1, .events = POLLIN },
		{ .fd = agent->job.process != 0 ? agent->job.output : -1, .events = POLLIN },
		{ .fd = agent->look.logs.socket, .events = POLLIN },
		{ .fd = agent->asks.complete ? -1 : agent->asks.connection >= 0 ? agent->asks.connection : agent->asks.listener, .events = POLLIN },
	};
	bool quick = agent->job.process != 0 || agent->attester.process != 0 || agent->prober.process != 0;
	int64_t wait = agent->transport.busy ? 1000 : agent->post_at - steady_ms();

	if (quick && wait > 50)
		wait = 50;
	if (wait > 1000)
		wait = 1000;
	/* The end of an order's output comes before its process is gone. */
	if (poll(files, 4, wait > 0 ? (int)wait : 0) > 0 && (files[1].revents & POLLHUP) != 0)
		usleep(5000);
}

/* Only another life of this program can start that process again: its service manager sees to that. An order that runs comes first. */
static void look_after_verity(struct agent *agent)
{
	if (agent->maimed || agent->job.process != 0 || agent->log_body != NULL || agent->stop != ACTION_INVALID ||
	    !verity_lost(&agent->gatherer.verity))
		return;
	log_error(0, "the process that asks dm-verity has ended: this program ends, to be started anew with one");
	agent->maimed = true;
	ended = 1;
}

static void run(struct agent *agent)
{
	while (!ended) {
		look_after_verity(agent);
		prober_run(&agent->prober, &agent->options.places, agent->channel.interval, &agent->measures.health);
		look_logs(&agent->look);
		receive(agent);
		attester_run(&agent->attester);
		exporter_keep(&agent->exporter);
		if (user_asks_read(&agent->asks))
			agent->post_at = steady_ms();
		obey(agent);
		post_if_due(agent);
		wait_for_news(agent);
	}
}

static int print_measures(struct agent *agent)
{
	json_t *json;
	char *text;

	verity_start(&agent->gatherer.verity, agent->options.places.mapper, NOBODY);
	gather(&agent->gatherer, &agent->options.places, &agent->measures);
	for (int tenth = 0; tenth < 20 && (tenth < 5 || agent->measures.health.state == HEALTH_UNKNOWN); tenth++) {
		prober_run(&agent->prober, &agent->options.places, 60, &agent->measures.health);
		usleep(100 * 1000);
	}
	gather(&agent->gatherer, &agent->options.places, &agent->measures);
	verity_stop(&agent->gatherer.verity);
	json = measures_json(&agent->measures);
	text = json != NULL ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
	json_decref(json);
	if (text == NULL)
		return log_error(-ENOMEM, "can't print the measures");
	puts(text);
	free(text);
	return 0;
}

/* Root's process keeps what looking, ending sessions and restarting take, and what the processes without rights give up later (sandbox.h).
 * What takes CAP_SYS_ADMIN, to ask dm-verity, has been left to a process that does nothing else (verity.h). */
static int give_up_rights(void)
{
	int r = confine(CONFINE_KEEP(CAP_CHOWN) | CONFINE_KEEP(CAP_DAC_OVERRIDE) | CONFINE_KEEP(CAP_DAC_READ_SEARCH) | CONFINE_KEEP(CAP_FOWNER) |
			CONFINE_KEEP(CAP_FSETID) | CONFINE_KEEP(CAP_KILL) | CONFINE_KEEP(CAP_NET_ADMIN) | CONFINE_KEEP(CAP_NET_BIND_SERVICE) |
			CONFINE_KEEP(CAP_SETGID) | CONFINE_KEEP(CAP_SETPCAP) | CONFINE_KEEP(CAP_SETUID) | CONFINE_KEEP(CAP_SYSLOG) |
			CONFINE_KEEP(CAP_SYS_BOOT) | CONFINE_KEEP(CAP_SYS_NICE) | CONFINE_KEEP(CAP_SYS_PTRACE) | CONFINE_KEEP(CAP_SYS_RESOURCE));

	return r < 0 ? log_error(r, "can't give up rights that it doesn't need") : 0;
}

int main(int argc, char **argv)
{
	static struct agent agent;
	const char *slash = strrchr(argv[0], '/'), *program = slash != NULL ? slash + 1 : argv[0];
	/* Who asks elsewhere fools himself. */
	const char *asked_at = secure_getenv("REPAVE_REQUESTS");
	struct sigaction action = { .sa_handler = end };
	int r;

	if (strcmp(program, "repave-request-os") == 0)
		return request_os_main(argc, argv, asked_at != NULL ? asked_at : REQUEST_SOCKET);
	log_program("agent");
	/* Not by an initializer, which would make a file of 190 KB of zeros of it. */
	agent.evidence = -1;
	if (options_parse(argc, argv, &agent.options) < 0)
		return 2;
	if (agent.options.help)
		return fputs(usage_text, stdout) < 0;
	if (agent.options.print)
		return print_measures(&agent) < 0;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	r = verity_start(&agent.gatherer.verity, agent.options.places.mapper, NOBODY);
	if (r < 0)
		log_error(r, "no process to ask dm-verity: changed blocks of C: and D: aren't reported");
	if (give_up_rights() < 0 || agent_open(&agent) < 0)
		return 1;
	user_asks_open(&agent.asks, agent.options.places.requests);
	run(&agent);
	user_asks_close(&agent.asks);
	attester_close(&agent.attester);
	transport_stop(&agent.transport);
	exporter_close(&agent.exporter);
	look_close(&agent.look);
	verity_stop(&agent.gatherer.verity);
	return agent.maimed;
}
