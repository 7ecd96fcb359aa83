// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/relay-api.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "control/relays.h"

/* A numeric address of either kind. */
static bool is_address(const char *text)
{
	unsigned char room[16];

	return inet_pton(AF_INET, text, room) == 1 || inet_pton(AF_INET6, text, room) == 1;
}

bool relay_open(const struct http_call *call, const char *id, struct relayed *ret_relayed, struct http_answer *answer)
{
	const char *key = http_header(call, RELAY_KEY_HEADER), *address = http_header(call, RELAY_ADDRESS_HEADER);
	struct http_peer *who = &ret_relayed->who;

	if (!key || strlen(key) != DIGEST_TEXT || !text_of(key, "0123456789abcdef", DIGEST_TEXT) || !address || !is_address(address)) {
		http_answer_error(answer, 400, "a monitor says who its client is, in " RELAY_KEY_HEADER " and " RELAY_ADDRESS_HEADER);
		return false;
	}
	*who = (struct http_peer){ .by = call->who };
	snprintf(who->name, sizeof who->name, "%s", id);
	snprintf(who->unit, sizeof who->unit, "%s", client_kind_name(CLIENT_AGENT));
	memcpy(who->key, key, DIGEST_TEXT);
	ret_relayed->call = *call;
	ret_relayed->call.who = who;
	snprintf(ret_relayed->peer, sizeof ret_relayed->peer, "%s", address);
	ret_relayed->call.peer = ret_relayed->peer;
	return true;
}

void relay_hello(struct control *control, const char *name, const struct http_call *call, struct http_answer *answer)
{
	int64_t now = control_lock(control);
	const char *why = relays_refuse(control, call->who, NULL);

	if (!why && strcmp(call->who->name, name))
		why = "the certificate is another monitor's";
	if (!why) {
		relays_heard(control, call->who, call->peer, now);
		answer->json = json_pack("{si sI}", "format", 1, "interval", (json_int_t)control->settings.interval);
		answer->status = 200;
	}
	control_leave(control);
	if (why) {
		log_warning("%s was refused at %s%s%s: %s", call->peer, call->path, call->who->name[0] ? ", it is " : "", call->who->name, why);
		http_answer_error(answer, call->who->refused ? 401 : 403, why);
	}
}
