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
} kinds[] = { { "ca", AUTHORITIES_MOST }, { "tpm", TPMS_MOST }, { "expected", EXPECTED_SETS_MOST }, { "crl", AUTHORITIES_MOST }, { "withdrawn", EXPECTED_SETS_MOST } };

json_t *tpm_trust_of(const struct control *control, const char *kind)
{
	return json_object_get(control->trust->stored, kind);
}

static void release_sets(struct expected_set **sets, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		expected_set_release(&(*sets)[i]);
	free(*sets);
	*sets = NULL;
	*count = 0;
}

static void release_made(struct tpm_trust *trust)
{
	buffer_release(&trust->authorities);
	buffer_release(&trust->revocations);
	release_sets(&trust->sets, &trust->set_count);
	release_sets(&trust->withdrawn, &trust->withdrawn_count);
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

static int make_sets(const json_t *list, struct expected_set **ret_sets, size_t *ret_count)
{
	const char *name;
	json_t *value;
	int r = 0;

	*ret_sets = calloc(json_object_size(list) + 1, sizeof **ret_sets);
	if (!*ret_sets)
		return -ENOMEM;
	json_object_foreach(json_iterable(list), name, value)
		if (!r) {
			r = make_set(value, &(*ret_sets)[*ret_count]);
			++*ret_count;
		}
	return r;
}

/* All that is made of what is stored, in the place of what was. */
static int make(struct tpm_trust *trust)
{
	struct tpm_trust made = { 0 };
	int r = make_authorities(json_object_get(trust->stored, "ca"), &made.authorities);

	if (!r)
		r = make_revocations(json_object_get(trust->stored, "crl"), &made.revocations);
	if (!r)
		r = make_sets(json_object_get(trust->stored, "expected"), &made.sets, &made.set_count);
	if (!r)
		r = make_sets(json_object_get(trust->stored, "withdrawn"), &made.withdrawn, &made.withdrawn_count);
	if (r < 0) {
		release_made(&made);
		return r;
	}
	release_made(trust);
	made.stored = trust->stored;
	*trust = made;
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
		trust->stored = json_pack("{s{} s{} s{} s{} s{}}", "ca", "tpm", "expected", "crl", "withdrawn");
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

/* Ends the transaction in which `next` was stored, which is taken over. */
static int end_change(struct control *control, json_t *next, int r)
{
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (r < 0)
		json_decref(next);
	return r < 0 ? r : adopt(control->trust, next);
}

/* ------------------------------------------------------------------ boot images that were expected once */

static int forget_withdrawn(struct control *control, json_t *next, const char *name)
{
	json_t *list = json_object_get(next, "withdrawn");

	if (!json_object_get(list, name))
		return 0;
	return json_object_del(list, name) < 0 ? -ENOMEM : store_remove_trust(control->store, "withdrawn", name);
}

/* The name of the one that was withdrawn first. */
static void find_oldest(const json_t *list, char ret_name[DIGEST_TEXT + 1])
{
	json_int_t oldest = INT64_MAX;
	const char *name;
	json_t *value;

	ret_name[0] = 0;
	json_object_foreach(json_iterable(list), name, value) {
		json_int_t at = json_integer_value(json_object_get(value, "withdrawn"));

		if (at < oldest && strlen(name) <= DIGEST_TEXT) {
			oldest = at;
			strcpy(ret_name, name);
		}
	}
}

/* A server that boots it still is told of by its name. */
static int note_withdrawn(struct control *control, json_t *next, const char *name, json_t *value)
{
	json_t *list = json_object_get(next, "withdrawn");
	char oldest[DIGEST_TEXT + 1];
	int r = 0;

	if (json_object_size(list) >= EXPECTED_SETS_MOST) {
		find_oldest(list, oldest);
		r = forget_withdrawn(control, next, oldest);
	}
	if (!r && (json_object_set_new(value, "withdrawn", json_integer((json_int_t)time(NULL))) < 0 || json_object_set(list, name, value) < 0))
		r = -ENOMEM;
	return r < 0 ? r : store_put_trust(control->store, "withdrawn", name, value);
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
		r = store_begin(control->store);
	if (r < 0) {
		json_decref(next);
		return r;
	}
	/* One that is expected again isn't withdrawn. */
	if (!strcmp(kind, "expected"))
		r = forget_withdrawn(control, next, name);
	if (!r)
		r = store_put_trust(control->store, kind, name, value);
	return end_change(control, next, r);
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
	json_t *next, *removed;
	int r = find_name(tpm_trust_of(control, kind), start, ret_name, ret_error);

	if (!r)
		r = store_begin(control->store);
	if (r < 0)
		return r;
	next = copy_lists(control->trust);
	removed = json_copy(json_object_get(json_object_get(next, kind), ret_name));
	r = json_object_del(json_object_get(next, kind), ret_name) < 0 ? -ENOMEM : store_remove_trust(control->store, kind, ret_name);
	if (!r && !strcmp(kind, "expected"))
		r = note_withdrawn(control, next, ret_name, removed);
	json_decref(removed);
	return end_change(control, next, r);
}
