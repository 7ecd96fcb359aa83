// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/report-key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/json.h"
#include "common/log.h"
#include "control/power.h"
#include "control/sealed.h"

#define SETTING "report_key" /* {"public": hexadecimal, "sealed": text} */
#define PURPOSE "report-key"

static int make(struct control *control, json_t **ret_value)
{
	uint8_t seed[REPORT_SEED_SIZE], public[REPORT_KEY_SIZE];
	char secret[2 * REPORT_SEED_SIZE + 1], shown[2 * REPORT_KEY_SIZE + 1];
	struct buffer sealed = { 0 };
	json_t *value = NULL;
	int r = getrandom(seed, sizeof seed, 0) == (ssize_t)sizeof seed ? report_key_derive(seed, public) : -EIO;

	if (!r) {
		hex_format(seed, sizeof seed, secret);
		hex_format(public, sizeof public, shown);
		r = sealed_close(power_sealing_key(control->power), PURPOSE, secret, &sealed);
	}
	if (!r) {
		value = json_pack("{ss ss}", "public", shown, "sealed", (const char *)sealed.data);
		r = value ? store_put_setting(control->store, SETTING, value) : -ENOMEM;
	}
	explicit_bzero(seed, sizeof seed);
	explicit_bzero(secret, sizeof secret);
	buffer_release(&sealed);
	if (r < 0)
		json_decref(value);
	else
		*ret_value = value;
	return r < 0 ? log_error(r, "can't make the key for reports") : 0;
}

static int find(struct control *control, json_t **ret_value)
{
	int r = store_get_setting(control->store, SETTING, ret_value);

	return r || *ret_value ? r : make(control, ret_value);
}

static int open_seed(struct control *control, const json_t *value, uint8_t ret_seed[REPORT_SEED_SIZE])
{
	const char *sealed = json_get_string(value, "sealed");
	struct buffer secret = { 0 };
	int r = sealed ? sealed_open(power_sealing_key(control->power), PURPOSE, sealed, &secret) : -EBADMSG;

	if (!r)
		r = hex_parse((const char *)secret.data, ret_seed, REPORT_SEED_SIZE) < 0 ? -EBADMSG : 0;
	if (secret.data)
		explicit_bzero(secret.data, secret.size);
	buffer_release(&secret);
	return r;
}

int report_key_sign(struct control *control, const void *data, size_t size, uint8_t ret_signature[REPORT_SIGNATURE_SIZE],
		    char ret_error[ERROR_TEXT])
{
	uint8_t seed[REPORT_SEED_SIZE] = { 0 };
	json_t *value = NULL;
	int r = find(control, &value);

	if (!r)
		r = open_seed(control, value, seed);
	json_decref(value);
	if (r == -ENOKEY || r == -EBADMSG)
		snprintf(ret_error, ERROR_TEXT, "the key for reports was sealed with another key than this control unit's, or is damaged;"
			 " put back " SEALING_KEY_FILE " of the state folder");
	if (!r)
		r = report_sign(seed, data, size, ret_signature);
	explicit_bzero(seed, sizeof seed);
	return r;
}

int report_key_show(struct control *control, struct buffer *ret_text, char ret_error[ERROR_TEXT])
{
	uint8_t public[REPORT_KEY_SIZE];
	json_t *value = NULL;
	int r = find(control, &value);

	if (!r && json_get_hex(value, "public", public, sizeof public) < 0)
		r = refused(ret_error, "the stored key for reports is damaged; put back a backup of the database");
	if (!r)
		r = report_key_format(public, ret_text);
	json_decref(value);
	return r;
}
