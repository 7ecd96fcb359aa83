// SPDX-License-Identifier: GPL-2.0-or-later
/* What a proof is needed for. */
#include "control/attestation-gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "control/attest-state.h"
#include "control/attestation.h"
#include "control/store-attest.h"
#include "control/tpm-trust.h"

enum attest_policy attestation_policy(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);

	return group ? group->attestation : ATTEST_OFF;
}

bool attestation_proved(const struct node *node, const char *session, int64_t now)
{
	const struct attest_session *its = node->attestation ? &node->attestation->session[ATTEST_BOOT] : NULL;

	return its && session[0] && !strcmp(its->id, session) && its->proved && now >= its->proved && now - its->proved <= ATTEST_SECONDS;
}

bool attestation_admits(struct control *control, const struct node *node, const char *session, int64_t now, char ret_error[ERROR_TEXT])
{
	const char *said = node->attestation ? json_get_string(node->attestation->state, "text") : NULL;
	const char *level = node->attestation ? json_get_string(node->attestation->state, "level") : NULL;

	if (attestation_policy(control, node) != ATTEST_REQUIRED || attestation_proved(node, session, now))
		return true;
	/* What is said of an earlier boot would mislead. */
	snprintf(ret_error, ERROR_TEXT, "its group requires a proof by TPM: %.300s", !session[0] && (!level || !strcmp(level, "attested")) ?
		 "the server showed none" : level && strcmp(level, "attested") ? said : "the one that it names is over, or another's");
	return false;
}

bool attestation_believes(struct control *control, const struct node *node, const char *session, int64_t now, char ret_error[ERROR_TEXT])
{
	const json_t *state = node->attestation ? node->attestation->state : NULL;

	if (!attestation_admits(control, node, session, now, ret_error))
		return false;
	if (!json_get_string(state, "ek") || attestation_proved(node, session, now))
		return true;
	snprintf(ret_error, ERROR_TEXT, "this server has proved itself by its TPM before, and now it doesn't (%.300s)",
		 !session[0] ? "it names no proof" : "the proof that it names failed, is over, or another's");
	return false;
}

bool attestation_allows_secrets(const struct control *control, const struct node *node, const struct boot_request *request)
{
	return attestation_policy(control, node) == ATTEST_OFF || attestation_proved(node, request->attestation, (int64_t)time(NULL));
}

static const struct image *image_of(const struct control *control, const char *target)
{
	const struct image_list *images = catalogue_images(control->catalogue);

	for (size_t i = 0; i < images->count; i++)
		if (!strcmp(images->items[i].target, target))
			return &images->items[i];
	return NULL;
}

/* What its agent will have to prove. */
static void note_assigned(const struct control *control, const struct node *node, const char *nonce, json_t *state)
{
	const struct image *os = image_of(control, node->boot.os_target), *app = image_of(control, node->boot.app_target);
	json_t *boot = json_copy(json_object_get(state, "boot"));
	char hash[2][2 * TPM_DIGEST + 1] = { "", "" };

	if (os)
		hex_format(os->root_hash, sizeof os->root_hash, hash[0]);
	if (app)
		hex_format(app->root_hash, sizeof app->root_hash, hash[1]);
	json_object_set_new(boot, "nonce", json_string(nonce));
	json_object_set_new(boot, "assignment", json_integer((json_int_t)node->boot.assignment));
	json_object_set_new(boot, "os", json_string(hash[0]));
	json_object_set_new(boot, "app", json_string(hash[1]));
	json_object_set_new(state, "boot", boot);
}

int attestation_boots(struct control *control, struct node *node, const char *session, const char *nonce, int64_t now)
{
	struct judgement judgement = { .level = LEVEL_NONE, .pcr = -1 };
	const char *level = node->attestation ? json_get_string(node->attestation->state, "level") : NULL;
	json_t *state;

	if (attestation_proved(node, session, now)) {
		state = attest_state_edit(node);
		if (state)
			note_assigned(control, node, nonce, state);
		return attest_state_keep(control, node, state, true);
	}
	/* Why it couldn't prove anything was said when it tried; one without a TPM has nothing that could become wrong. */
	if (!level || strcmp(level, "attested"))
		return 0;
	snprintf(judgement.text, sizeof judgement.text, "its last boot proved nothing");
	return attest_state_take(control, node, ATTEST_BOOT, &judgement, NULL, NULL, now);
}

/* ------------------------------------------------------------------ operators */

int attestation_allow(struct control *control, struct node *node, const char *note, int64_t now, char ret_ek[DIGEST_TEXT + 1],
		      char ret_error[ERROR_TEXT])
{
	json_t *state = attest_state_edit(node), *value;
	const char *offered = json_get_string(json_get_object(state, "offered"), "ek");
	const struct node *holder;
	int r;

	if (!offered || strlen(offered) != DIGEST_TEXT) {
		json_decref(state);
		snprintf(ret_error, ERROR_TEXT, "the node has shown no TPM yet; it does so when it boots");
		return -ENOENT;
	}
	strcpy(ret_ek, offered);
	holder = attestation_holder(control, node, ret_ek);
	if (holder) {
		json_decref(state);
		snprintf(ret_error, ERROR_TEXT, "that TPM is node %s's; if that server is gone: `repave node remove %s`", holder->id, holder->id);
		return -EBUSY;
	}
	value = json_pack("{ss ss sI}", "node", node->id, "note", note, "added", (json_int_t)now);
	r = value ? tpm_trust_put(control, "tpm", ret_ek, value, ret_error) : -ENOMEM;
	json_decref(value);
	/* Another board has other firmware, too. */
	if (!r && json_get_string(state, "ek") && strcmp(json_get_string(state, "ek"), ret_ek)) {
		json_object_del(state, "ek");
		json_object_del(state, "ek_by");
		json_object_del(state, "firmware");
		json_object_del(state, "firmware_offered");
		return attest_state_keep(control, node, state, true);
	}
	json_decref(state);
	return r;
}

int attestation_accept(struct control *control, struct node *node, int64_t now, char ret_error[ERROR_TEXT])
{
	json_t *state = attest_state_edit(node), *offered = json_object_get(state, "firmware_offered");

	if (!offered) {
		json_decref(state);
		snprintf(ret_error, ERROR_TEXT, "the node's firmware is what was accepted, or it proved nothing yet");
		return -ENOENT;
	}
	json_object_set(state, "firmware", offered);
	json_object_set_new(state, "firmware_at", json_integer((json_int_t)now));
	json_object_del(state, "firmware_offered");
	return attest_state_keep(control, node, state, true);
}

/* null for what is unknown. */
static json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value ? json_incref(value) : json_null();
}

enum attest_level attestation_level(const struct node *node)
{
	const char *name = node->attestation ? json_get_string(node->attestation->state, "level") : NULL;
	enum attest_level level = LEVEL_ATTESTED;

	while (level != LEVEL_NONE && (!name || strcmp(name, attest_level_name(level))))
		level--;
	return level;
}

json_t *attestation_describe(const struct control *control, const struct node *node)
{
	const json_t *state = node->attestation ? node->attestation->state : NULL, *boot = json_get_object(state, "boot");
	const char *level = json_get_string(state, "level"), *text = json_get_string(state, "text");

	return json_pack("{ss ss ss so so so so so so so so so so sb}", "level", level ? level : "unattested", "policy",
			 attest_policy_name(attestation_policy(control, node)), "text", text ? text : "it has shown no TPM", "at", member(state, "at"),
			 "stage", member(state, "stage"), "pcr", member(state, "pcr"), "event", member(state, "event"), "ek", member(state, "ek"), "ek_by",
			 member(state, "ek_by"), "ek_offered", member(json_get_object(state, "offered"), "ek"), "ak",
			 member(json_get_object(boot, "ak"), "name"), "expected", member(boot, "set"), "firmware_at", member(state, "firmware_at"),
			 "firmware_changed", json_object_get(state, "firmware_offered") != NULL);
}

/* ------------------------------------------------------------------ after a restart */

static int take_stored(void *context, const char *id, json_t *state)
{
	struct control *control = context;
	struct node *node = fleet_get(control->fleet, id);

	if (!node)
		return 0;
	node->attestation = attest_record_new(json_incref(state));
	return node->attestation ? 0 : -ENOMEM;
}

int attestation_load(struct control *control)
{
	return store_each_attestation(control->store, take_stored, control);
}
