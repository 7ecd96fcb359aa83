// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tpm-trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "control/store-attest.h"

static const struct {
	const char *kind;
	unsigned most;
} kinds[] = { { "ca", AUTHORITIES_MOST }, { "tpm", TPMS_MOST }, { "expected", EXPECTED_SETS_MOST }, { "crl", AUTHORITIES_MOST } };

json_t *tpm_trust_of(const struct control *control, const char *kind)
{
	return json_object_get(control->trust->stored, kind);
}

static void release_made(struct tpm_trust *trust)
{
	buffer_release(&trust->authorities);
	buffer_release(&trust->revocations);
	for (size_t i = 0; i < trust->set_count; i++)
		expected_set_release(&trust->sets[i]);
	free(trust->sets);
	trust->sets = NULL;
	trust->set_count = 0;
}

static int make_authorities(const json_t *list, struct buffer *ret_pem)
{
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach(json_iterable(list), name, value)
		if (!r)
			r = buffer_printf(ret_pem, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", json_get_string(value, "certificate"));
	return r;
}

static int make_revocations(const json_t *list, struct buffer *ret_pem)
{
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach(json_iterable(list), name, value)
		if (!r)
			r = buffer_printf(ret_pem, "-----BEGIN X509 CRL-----\n%s\n-----END X509 CRL-----\n", json_get_string(value, "certificate"));
	return r;
}

static int make_set(const json_t *value, struct expected_set *ret_set)
{
	const char *document = json_get_string(value, "document"), *certificate = json_get_string(value, "certificate");
	char why[ERROR_TEXT];
	int r;

	if (!document || !certificate)
		return -EIO;
	r = expected_set_parse(document, strlen(document), ret_set, why);
	return r < 0 ? -EIO : base64_parse(certificate, &ret_set->certificate);
}

/* All that is made of what is stored, in the place of what was. */
static int make(struct tpm_trust *trust)
{
	const json_t *expected = json_object_get(trust->stored, "expected");
	struct tpm_trust made = { 0 };
	const char *name;
	json_t *value;
	int r = make_authorities(json_object_get(trust->stored, "ca"), &made.authorities);

	if (!r)
		r = make_revocations(json_object_get(trust->stored, "crl"), &made.revocations);
	made.sets = calloc(json_object_size(expected) + 1, sizeof *made.sets);
	if (!r && !made.sets)
		r = -ENOMEM;
	json_object_foreach(json_iterable(expected), name, value)
		if (!r) {
			r = make_set(value, &made.sets[made.set_count]);
			made.set_count++;
		}
	if (r < 0) {
		release_made(&made);
		return r;
	}
	release_made(trust);
	trust->authorities = made.authorities;
	trust->revocations = made.revocations;
	trust->sets = made.sets;
	trust->set_count = made.set_count;
	return 0;
}

static int take_stored(void *context, const char *kind, const char *name, json_t *value)
{
	json_t *list = json_object_get(((struct tpm_trust *)context)->stored, kind);

	/* Of a kind that a newer version knows: left alone. */
	return list && json_object_set(list, name, value) < 0 ? -ENOMEM : 0;
}

int tpm_trust_load(struct control *control)
{
	struct tpm_trust *trust = calloc(1, sizeof *trust);
	int r = trust ? 0 : -ENOMEM;

	control->trust = trust;
	if (!r) {
		trust->stored = json_pack("{s{} s{} s{} s{}}", "ca", "tpm", "expected", "crl");
		r = trust->stored ? store_each_trust(control->store, take_stored, trust) : -ENOMEM;
	}
	if (!r)
		r = make(trust);
	return r == -EIO ? log_error(r, "what is trusted of TPMs can't be read from the database") : r;
}

void tpm_trust_free(struct control *control)
{
	if (!control->trust)
		return;
	release_made(control->trust);
	json_decref(control->trust->stored);
	free(control->trust);
}

/* The stored change made in memory, too. */
static int adopt(struct tpm_trust *trust, json_t *stored)
{
	json_t *before = trust->stored;
	int r;

	trust->stored = stored;
	r = make(trust);
	trust->stored = r < 0 ? before : stored;
	json_decref(r < 0 ? stored : before);
	return r;
}

/* A copy that shares all entries. */
static json_t *copy_lists(const struct tpm_trust *trust)
{
	json_t *copy = json_object();

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		json_object_set_new(copy, kinds[i].kind, json_copy(json_object_get(trust->stored, kinds[i].kind)));
	return copy;
}

int tpm_trust_put(struct control *control, const char *kind, const char *name, const json_t *value, char ret_error[ERROR_TEXT])
{
	json_t *next = copy_lists(control->trust), *list = json_object_get(next, kind);
	int r = !list || json_object_set(list, name, json_iterable(value)) < 0 ? -ENOMEM : 0;

	for (size_t i = 0; !r && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!strcmp(kinds[i].kind, kind) && json_object_size(list) > kinds[i].most) {
			snprintf(ret_error, ERROR_TEXT, "there are %u of them already; `repave tpm list` shows them", kinds[i].most);
			r = -EDQUOT;
		}
	}
	if (!r)
		r = store_put_trust(control->store, kind, name, value);
	if (r < 0)
		json_decref(next);
	return r < 0 ? r : adopt(control->trust, next);
}

/* The whole name of the only entry that begins with `start`. */
static int find_name(const json_t *list, const char *start, char ret_name[DIGEST_TEXT + 1], char error[ERROR_TEXT])
{
	const char *name;
	json_t *value;
	unsigned found = 0;

	json_object_foreach(json_iterable(list), name, value) {
		if (!strncmp(name, start, strlen(start)) && strlen(name) <= DIGEST_TEXT) {
			strcpy(ret_name, name);
			found++;
		}
	}
	if (found == 1 && strlen(start) >= 4)
		return 0;
	snprintf(error, ERROR_TEXT, found > 1 || strlen(start) < 4 ? "\"%.64s\" is too few digits of it to tell which is meant" :
				    "there is no \"%.64s\"; `repave tpm list` shows what there is", text_printable(start, strlen(start)) ? start : "?");
	return found > 1 || strlen(start) < 4 ? -ENOTUNIQ : -ENOENT;
}

void tpm_trust_health(struct control *control, struct health *health, int64_t now)
{
	const char *name;
	json_t *value;

	json_object_foreach(tpm_trust_of(control, "crl"), name, value) {
		time_t until = (time_t)json_integer_value(json_object_get(value, "until"));
		char text[16];
		struct tm tm;

		if (!until || until > now)
			continue;
		gmtime_r(&until, &tm);
		strftime(text, sizeof text, "%Y-%m-%d", &tm);
		health_add(health, SEVERITY_WARNING, "the list of TPMs that %.160s revoked should have been renewed on %s, and newer ones aren't known; get it from"
			   " there, `repave tpm ca crl FILE` takes it", json_get_string(value, "subject"), text);
	}
}

int tpm_trust_remove(struct control *control, const char *kind, const char *start, char ret_name[DIGEST_TEXT + 1], char ret_error[ERROR_TEXT])
{
	json_t *next;
	int r = find_name(tpm_trust_of(control, kind), start, ret_name, ret_error);

	if (r < 0)
		return r;
	next = copy_lists(control->trust);
	r = json_object_del(json_object_get(next, kind), ret_name) < 0 ? -ENOMEM : store_remove_trust(control->store, kind, ret_name);
	if (r < 0)
		json_decref(next);
	return r < 0 ? r : adopt(control->trust, next);
}
