// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-monitors.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/relays.h"

static void answer_json(struct http_answer *answer, json_t *json)
{
	if (json) {
		answer->json = json;
		answer->status = 200;
	} else {
		http_answer_error(answer, 500, "out of memory");
	}
}

static void answer_failure(struct http_answer *answer, int error, const char *why)
{
	http_answer_error(answer, control_status(error), why[0] ? why : "the control unit failed; its log says more");
}

void operator_list_monitors(struct control *control, struct http_answer *answer)
{
	answer_json(answer, json_pack("{so}", "monitors", relays_describe(control)));
}

void operator_make_monitor(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const char *name = json_get_string(body, "name"), *address = json_get_string(body, "address"), *csr = json_get_string(body, "csr");
	struct buffer certificate = { 0 };
	struct public_key key;
	char why[ERROR_TEXT] = "";
	int r = 0;

	if (!name || !address || !csr || json_object_size(body) != 3)
		r = refused(why, "a monitor has \"name\", \"address\" and \"csr\"");
	if (!r)
		r = csr_parse(csr, &key, why);
	if (!r)
		r = relays_make(control, name, address, &key, now, &certificate, why);
	if (r < 0) {
		answer_failure(answer, r, why);
	} else {
		log_info("operator: monitor %s at %s has a new certificate", name, address);
		answer_json(answer, json_pack("{ss ss ss}", "name", name, "certificate", (const char *)certificate.data, "ca",
					      pki_signer_certificate(control->signer)));
	}
	buffer_release(&certificate);
}

void operator_revoke_monitor(struct control *control, const char *name, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = relays_revoke(control, name, now, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "name", name));
}

void operator_give_to_monitor(struct control *control, const char *text, const json_t *body, struct http_answer *answer)
{
	const json_t *value = json_object_get(body, "monitor");
	const char *name = json_is_null(value) ? "" : json_string_value(value);
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r && (!name || json_object_size(body) != 1))
		r = refused(why, "\"monitor\" must be a monitor's name, or null for none");
	if (!r)
		r = relays_give(control, fleet_get(control->fleet, node->id), name, why);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	log_info("operator: node %s goes by %s%s", node->id, name[0] ? "monitor " : "no monitor", name);
	answer_json(answer, json_pack("{ss so}", "id", node->id, "monitor", name[0] ? json_string(name) : json_null()));
}
