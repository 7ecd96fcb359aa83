// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tpm-judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "signing/sha256.h"

#define FIRMWARE_PCRS 4u
#define FIRMWARE_EVENTS_KEPT 128u /* of each PCR; the value counts for all */
#define TEXT_MOST 128u            /* "Calling EFI Application from Boot Option" */

static const uint8_t global_variable[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c };

const char *attest_level_name(enum attest_level level)
{
	return level == LEVEL_ATTESTED ? "attested" : level == LEVEL_FAILED ? "failed" : "unattested";
}

/* ------------------------------------------------------------------ expected sets */

static int take_name(const json_t *root, const char *key, char ret_name[EXPECTED_NAME_MOST + 1])
{
	const json_t *value = json_object_get(root, key);
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		snprintf(ret_name, EXPECTED_NAME_MOST + 1, "%lld", (long long)json_integer_value(value));
		return 0;
	}
	if (!text || !text[0] || strlen(text) > EXPECTED_NAME_MOST || strlen(text) != json_string_length(value) ||
	    !text_printable(text, strlen(text)))
		return -EINVAL;
	strcpy(ret_name, text);
	return 0;
}

static int take_images(const json_t *list, struct expected_set *set)
{
	const json_t *image;
	size_t i;

	if (!json_array_size(list) || json_array_size(list) > EXPECTED_IMAGES_MOST)
		return -EINVAL;
	json_array_foreach(json_iterable(list), i, image) {
		const char *text = json_string_value(image);

		if (!text || hex_parse(text, set->image[i], TPM_DIGEST) < 0)
			return -EINVAL;
	}
	set->images = json_array_size(list);
	return 0;
}

static int parse_document(const json_t *root, struct expected_set *set, char error[ERROR_TEXT])
{
	const json_t *initrd = json_object_get(root, "pcr9"), *rescue = json_object_get(root, "rescue_shell");
	uint64_t format = 0;

	if (json_get_u64(root, "format", &format) < 0 || format != 1)
		return refused(error, "\"format\" of expected values must be 1");
	if (take_name(root, "name", set->name) < 0 || take_name(root, "version", set->version) < 0)
		return refused(error, "expected values need \"name\" and \"version\", of at most %u letters", EXPECTED_NAME_MOST);
	if (take_images(json_get_array(root, "pcr4"), set) < 0)
		return refused(error, "\"pcr4\" of expected values must be a list of 1 to %u SHA-256 digests", EXPECTED_IMAGES_MOST);
	set->has_initrd = initrd && !json_is_null(initrd);
	if (set->has_initrd && json_get_hex(root, "pcr9", set->initrd, TPM_DIGEST) < 0)
		return refused(error, "\"pcr9\" of expected values must be a SHA-256 digest or null");
	if (json_get_hex(root, "pcr11", set->parts, TPM_DIGEST) < 0)
		return refused(error, "\"pcr11\" of expected values must be a SHA-256 digest");
	if (rescue && !json_is_boolean(rescue))
		return refused(error, "\"rescue_shell\" of expected values must be true or false");
	set->rescue_shell = json_is_true(rescue);
	return 0;
}

int expected_set_parse(const void *document, size_t size, struct expected_set *ret_set, char ret_error[ERROR_TEXT])
{
	struct expected_set set = { 0 };
	uint8_t digest[SHA256_SIZE];
	char why[160];
	json_t *root;
	int r;

	if (size > EXPECTED_DOCUMENT_MOST)
		return refused(ret_error, "expected values are longer than %u bytes", EXPECTED_DOCUMENT_MOST);
	root = json_parse(document, size, why);
	if (!root)
		return refused(ret_error, "expected values: %s", why);
	r = parse_document(root, &set, ret_error);
	json_decref(root);
	if (r < 0)
		return r;
	sha256_once(document, size, digest);
	hex_format(digest, EXPECTED_ID / 2, set.id);
	*ret_set = set;
	return 0;
}

void expected_set_release(struct expected_set *set)
{
	buffer_release(&set->certificate);
}

/* ------------------------------------------------------------------ a verdict's parts */

/* Always LEVEL_FAILED or LEVEL_NONE as `level`; false, so that a check can return it. */
static bool verdict(struct judgement *judgement, enum attest_level level, int pcr, size_t event, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static bool verdict(struct judgement *judgement, enum attest_level level, int pcr, size_t event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(judgement->text, sizeof judgement->text, format, args);
	va_end(args);
	judgement->level = level;
	judgement->pcr = pcr;
	judgement->event = event;
	return false;
}

/* "0123456789ab…" */
static const char *shown(const uint8_t digest[TPM_DIGEST], char ret_text[20])
{
	hex_format(digest, 8, ret_text);
	return ret_text;
}

bool judge_values(const struct tpm_quote *quote, const uint8_t values[PCRS][TPM_DIGEST])
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	for (unsigned pcr = 0; pcr < PCRS; pcr++)
		if (quote->pcrs & 1u << pcr)
			sha256_update(&sha, values[pcr], TPM_DIGEST);
	sha256_final(&sha, digest);
	return !memcmp(digest, quote->digest, sizeof digest);
}

static bool check_own(const struct judge_input *input, struct judgement *judgement)
{
	if (memcmp(input->values[PCR_REPAVE], input->events->value, TPM_DIGEST))
		return verdict(judgement, LEVEL_FAILED, PCR_REPAVE, 0, "PCR 8: the system's log doesn't lead to the value that the TPM quoted: a record of"
			       " it is missing or was changed");
	return true;
}

/* ------------------------------------------------------------------ the firmware's log */

static bool check_log(const struct judge_input *input, struct judgement *judgement)
{
	static const unsigned judged[] = { 0, 1, 2, 3, 4, 7, 11 };
	uint8_t value[TPM_DIGEST];

	for (size_t i = 0; i < sizeof judged / sizeof judged[0]; i++) {
		firmware_log_replay(input->log, judged[i], value);
		if (memcmp(value, input->values[judged[i]], sizeof value))
			return verdict(judgement, LEVEL_FAILED, (int)judged[i], 0,
				       "PCR %u: the firmware's log doesn't lead to the value that the TPM quoted: it is cut off, or was changed", judged[i]);
	}
	return true;
}

/* Types of events aren't measured, and whoever has an image has bytes of its digest too: a text is taken for one only if no program could be one. */
static bool is_text(const struct firmware_event *event)
{
	for (size_t i = 0; i < event->size; i++)
		if (event->data[i] < ' ' || event->data[i] > '~')
			return false;
	return event->size > 0 && event->size <= TEXT_MOST && firmware_event_is(event, event->data, event->size);
}

static bool is_separator(const struct firmware_event *event)
{
	static const uint8_t zeros[4];

	return firmware_event_is(event, zeros, sizeof zeros);
}

/* Until the separator only the firmware measures: its variables of Secure Boot, and texts. Whatever was started can measure the same words behind it. */
static bool check_secure_boot(const struct judge_input *input, struct judgement *judgement)
{
	bool found = false;

	for (size_t i = 0; i < input->log->count; i++) {
		const struct firmware_event *event = &input->log->events[i];
		struct firmware_variable variable;

		if (event->pcr != 7 || is_text(event))
			continue;
		if (is_separator(event))
			break;
		if (!firmware_variable_parse(event, &variable) || !firmware_event_is(event, event->data, event->size))
			return verdict(judgement, LEVEL_FAILED, 7, i + 1, "PCR 7, event %zu: what it says of Secure Boot isn't what was measured", i + 1);
		if (strcmp(variable.name, "SecureBoot") || memcmp(variable.owner, global_variable, sizeof global_variable))
			continue;
		if (variable.size != 1 || variable.value[0] != 1)
			return verdict(judgement, LEVEL_FAILED, 7, i + 1, "PCR 7, event %zu: Secure Boot is off", i + 1);
		found = true;
	}
	return found ? true : verdict(judgement, LEVEL_FAILED, 7, 0, "PCR 7: the firmware measured nothing of Secure Boot");
}

static bool set_has(const struct expected_set *set, const uint8_t digest[TPM_DIGEST])
{
	for (size_t i = 0; i < set->images; i++)
		if (!memcmp(set->image[i], digest, TPM_DIGEST))
			return true;
	return false;
}

/* Between images: "Calling EFI Application from Boot Option", "BOOT ATTEMPTS OMITTED". */
static bool is_mark(const struct firmware_event *event)
{
	return event->type != EVENT_APPLICATION && (is_separator(event) || is_text(event));
}

static const struct expected_set *find_withdrawn(const struct judge_input *input, const uint8_t digest[TPM_DIGEST])
{
	for (size_t i = 0; i < input->withdrawn_count; i++)
		if (set_has(&input->withdrawn[i], digest))
			return &input->withdrawn[i];
	return NULL;
}

/* An image that isn't expected: that of an older boot medium is told from a stranger's. */
static bool refuse_image(const struct judge_input *input, size_t at, struct judgement *judgement)
{
	const struct firmware_event *event = &input->log->events[at];
	const struct expected_set *withdrawn = find_withdrawn(input, event->digest);
	char text[20];

	if (withdrawn)
		return verdict(judgement, LEVEL_FAILED, 4, at + 1,
			       "PCR 4, event %zu (%s): the firmware started the boot image %s %s, which was withdrawn (`repave tpm expect remove`); give it a newer one",
			       at + 1, firmware_event_name(event->type), withdrawn->name, withdrawn->version);
	return verdict(judgement, LEVEL_FAILED, 4, at + 1,
		       "PCR 4, event %zu (%s): the firmware started an image that no expected set names (SHA-256 %s…): a foreign boot image", at + 1,
		       firmware_event_name(event->type), shown(event->digest, text));
}

/* Every image that the firmware started must be known. */
static bool check_images(const struct judge_input *input, struct judgement *judgement)
{
	bool found = false;
	char text[20];

	for (size_t i = 0; i < input->log->count; i++) {
		const struct firmware_event *event = &input->log->events[i];
		bool known = false;

		if (event->pcr != 4 || is_mark(event))
			continue;
		for (size_t s = 0; s < input->set_count; s++)
			known |= event->type == EVENT_APPLICATION && set_has(&input->sets[s], event->digest);
		if (!known && event->type == EVENT_APPLICATION)
			return refuse_image(input, i, judgement);
		if (!known)
			return verdict(judgement, LEVEL_FAILED, 4, i + 1, "PCR 4, event %zu (%s): the firmware ran something that isn't a boot image (%s…)",
				       i + 1, firmware_event_name(event->type), shown(event->digest, text));
		found = true;
	}
	return found ? true : verdict(judgement, LEVEL_FAILED, 4, 0, "PCR 4: the firmware measured no boot image");
}

static bool has_all_images(const struct judge_input *input, const struct expected_set *set)
{
	for (size_t i = 0; i < input->log->count; i++)
		if (input->log->events[i].pcr == 4 && input->log->events[i].type == EVENT_APPLICATION &&
		    !set_has(set, input->log->events[i].digest))
			return false;
	return true;
}

/* The first event of a PCR, from 1; 0: none. */
static size_t first_event(const struct firmware_log *log, uint32_t pcr)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->events[i].pcr == pcr)
			return i + 1;
	return 0;
}

/* The set to which all that was measured belongs. */
static bool find_set(const struct judge_input *input, struct judgement *judgement)
{
	const struct expected_set *near = NULL;
	bool parts = false;
	char is[20], wanted[20];

	for (size_t s = 0; s < input->set_count; s++) {
		const struct expected_set *set = &input->sets[s];
		bool same_parts = !memcmp(set->parts, input->values[11], TPM_DIGEST);

		if (!has_all_images(input, set))
			continue;
		if (!near || same_parts) {
			near = set;
			parts = same_parts;
		}
		if (same_parts && (!set->has_initrd || !memcmp(set->initrd, input->values[9], TPM_DIGEST))) {
			judgement->set = set;
			return true;
		}
	}
	if (!near)
		return verdict(judgement, LEVEL_FAILED, 4, 0, "PCR 4: the images that the firmware started are of several expected sets, mixed");
	if (!parts)
		return verdict(judgement, LEVEL_FAILED, 11, first_event(input->log, 11),
			       "PCR 11, event %zu: the parts of the boot image are %s…, and not those of %s %s (%s…): kernel, initramfs or command line differ",
			       first_event(input->log, 11), shown(input->values[11], is), near->name, near->version, shown(near->parts, wanted));
	return verdict(judgement, LEVEL_FAILED, 9, first_event(input->log, 9), "PCR 9, event %zu: the initramfs is %s…, and not that of %s %s (%s…)",
		       first_event(input->log, 9), shown(input->values[9], is), near->name, near->version, shown(near->initrd, wanted));
}

/* The image must have been let in by the certificate of its set. */
static bool check_authority(const struct judge_input *input, struct judgement *judgement)
{
	const struct buffer *wanted = &judgement->set->certificate;
	size_t other = 0;

	for (size_t i = 0; i < input->log->count; i++) {
		const struct firmware_event *event = &input->log->events[i];
		struct firmware_variable variable;

		if (event->pcr != 7 || event->type != EVENT_AUTHORITY || !firmware_variable_parse(event, &variable) || strcmp(variable.name, "db") ||
		    !firmware_event_is(event, event->data, event->size))
			continue;
		/* EFI_SIGNATURE_DATA: the owner's GUID, then the certificate. */
		if (variable.size == 16 + wanted->size && !memcmp(variable.value + 16, wanted->data, wanted->size))
			return true;
		other = i + 1;
	}
	if (other)
		return verdict(judgement, LEVEL_FAILED, 7, other, "PCR 7, event %zu: the boot image was let in by another certificate than that of %s %s", other,
			       judgement->set->name, judgement->set->version);
	return verdict(judgement, LEVEL_FAILED, 7, 0, "PCR 7: the firmware measured no certificate that let the boot image in");
}

/* ------------------------------------------------------------------ PCR 0-3 */

/* Boot#### and BootOrder change with each medium that comes and goes, and what is started by them is judged by PCR 4. Firmware measures the
 * value, or name and value. */
static bool is_boot_order(const struct firmware_event *event)
{
	struct firmware_variable variable;

	return event->pcr == 1 && (event->type == EVENT_BOOT_VARIABLE || event->type == EVENT_BOOT_VARIABLE_2) &&
	       firmware_variable_parse(event, &variable) && !strncmp(variable.name, "Boot", 4) &&
	       !memcmp(variable.owner, global_variable, sizeof global_variable) &&
	       (firmware_event_is(event, variable.value, variable.size) || firmware_event_is(event, event->data, event->size));
}

/* {"value": hex over all that counts, "events": [[type, hex], …]} */
static json_t *describe_pcr(const struct firmware_log *log, uint32_t pcr)
{
	char text[2 * TPM_DIGEST + 1];
	uint8_t value[SHA256_SIZE];
	json_t *events = json_array();
	struct sha256 sha;

	sha256_init(&sha);
	for (size_t i = 0; i < log->count; i++) {
		const struct firmware_event *event = &log->events[i];

		if (event->pcr != pcr || is_boot_order(event))
			continue;
		sha256_update(&sha, event->digest, TPM_DIGEST);
		hex_format(event->digest, TPM_DIGEST, text);
		if (json_array_size(events) < FIRMWARE_EVENTS_KEPT)
			json_array_append_new(events, json_pack("[I,s]", (json_int_t)event->type, text));
	}
	if (pcr == 0)
		sha256_update(&sha, &log->locality, 1);
	sha256_final(&sha, value);
	hex_format(value, sizeof value, text);
	return json_pack("{ss so}", "value", text, "events", events);
}

static json_t *describe_firmware(const struct firmware_log *log)
{
	json_t *all = json_object();
	char key[12];

	for (uint32_t pcr = 0; all && pcr < FIRMWARE_PCRS; pcr++) {
		snprintf(key, sizeof key, "%u", (unsigned)pcr);
		if (json_object_set_new(all, key, describe_pcr(log, pcr)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

/* Where the `n`th event (from 0) of a PCR that counts is in the log, from 1; 0: there isn't one. */
static size_t place_of(const struct firmware_log *log, uint32_t pcr, size_t n)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->events[i].pcr == pcr && !is_boot_order(&log->events[i]) && n-- == 0)
			return i + 1;
	return 0;
}

/* Which event is the first that differs. */
static bool name_change(const struct judge_input *input, uint32_t pcr, const json_t *then, const json_t *is, struct judgement *judgement)
{
	const json_t *before = json_get_array(then, "events"), *now = json_get_array(is, "events"), *old;
	size_t n = 0, place;

	while (n < json_array_size(before) && n < json_array_size(now) &&
	       json_equal(json_array_get(json_array_get(before, n), 1), json_array_get(json_array_get(now, n), 1)))
		n++;
	place = place_of(input->log, pcr, n);
	old = json_array_get(json_array_get(before, n), 1);
	if (place && old)
		return verdict(judgement, LEVEL_FAILED, (int)pcr, place,
			       "PCR %u, event %zu (%s): the firmware isn't what was accepted: %.16s… became %.16s…; after a wanted change: `repave tpm accept`",
			       (unsigned)pcr, place, firmware_event_name(input->log->events[place - 1].type), json_string_value(old),
			       json_string_value(json_array_get(json_array_get(now, n), 1)));
	if (place)
		return verdict(judgement, LEVEL_FAILED, (int)pcr, place,
			       "PCR %u, event %zu (%s): the firmware measured something new; after a wanted change: `repave tpm accept`", (unsigned)pcr, place,
			       firmware_event_name(input->log->events[place - 1].type));
	return verdict(judgement, LEVEL_FAILED, (int)pcr, 0,
		       "PCR %u: the firmware measured less than what was accepted (event %zu of it is missing); after a wanted change: `repave tpm accept`",
		       (unsigned)pcr, n + 1);
}

static bool check_firmware(const struct judge_input *input, struct judgement *judgement)
{
	char key[12];

	if (!input->firmware)
		return true;
	for (uint32_t pcr = 0; pcr < FIRMWARE_PCRS; pcr++) {
		const json_t *then, *is;

		snprintf(key, sizeof key, "%u", (unsigned)pcr);
		then = json_object_get(input->firmware, key);
		is = json_object_get(judgement->firmware, key);
		if (!json_equal(json_object_get(then, "value"), json_object_get(is, "value")))
			return name_change(input, pcr, then, is, judgement);
	}
	return true;
}

/* ------------------------------------------------------------------ both proofs */

/* Before its proof stage 1 measures only what rules one out: what was started after a shell was opened may be anything. */
static bool check_first(const struct judge_input *input, struct judgement *judgement)
{
	const struct repave_event *event = &input->events->items[0];

	if (!input->events->count)
		return true;
	if (!strcmp(event->type, "repave.rescue"))
		return verdict(judgement, LEVEL_FAILED, PCR_REPAVE, 0,
			       "PCR 8, repave.rescue: a rescue shell was opened in this boot (%.40s); it can't attest before the server is reset",
			       text_printable(event->data, strlen(event->data)) ? event->data : "?");
	return verdict(judgement, LEVEL_FAILED, PCR_REPAVE, 0, "PCR 8, %s: %.200s", event->type,
		       text_printable(event->data, strlen(event->data)) ? event->data : "?");
}

int judge_boot(const struct judge_input *input, struct judgement *ret_judgement)
{
	struct judgement *j = ret_judgement;

	*j = (struct judgement){ .pcr = -1 };
	if ((input->pcrs & PCRS_QUOTED) != PCRS_QUOTED) {
		verdict(j, LEVEL_FAILED, -1, 0, "the quote isn't about all of the PCRs that were asked for");
		return 0;
	}
	if (!check_own(input, j) || !check_log(input, j))
		return 0;
	if (!check_first(input, j))
		return 0;
	if (!input->set_count) {
		verdict(j, LEVEL_NONE, -1, 0, "it isn't known what boot images measure: `repave tpm expect add` says so");
		return 0;
	}
	if (!check_secure_boot(input, j) || !check_images(input, j) || !find_set(input, j) || !check_authority(input, j))
		return 0;
	if (j->set->rescue_shell) {
		verdict(j, LEVEL_NONE, -1, 0, "its boot image, %s %s, was built with a rescue shell or SSH: who gets in there can say anything", j->set->name,
			j->set->version);
		return 0;
	}
	j->firmware = describe_firmware(input->log);
	if (!j->firmware)
		return -ENOMEM;
	if (check_firmware(input, j)) {
		j->level = LEVEL_ATTESTED;
		snprintf(j->text, sizeof j->text, "boot image %s %s, by Secure Boot; firmware %s", j->set->name, j->set->version,
			 input->firmware ? "as accepted" : "seen for the first time");
	}
	return 0;
}

/* A record of PCR 8 against what is known. */
static bool check_event(const struct repave_events *events, const char *type, const char *wanted, const char *what, struct judgement *judgement)
{
	const char *is = repave_event_find(events, type);

	if (!is)
		return verdict(judgement, LEVEL_FAILED, PCR_REPAVE, 0, "PCR 8: there isn't exactly one record %s in the system's log", type);
	if (strcmp(is, wanted))
		return verdict(judgement, LEVEL_FAILED, PCR_REPAVE, 0, "PCR 8, %s: %s isn't what this boot was given: %.16s… instead of %.16s…", type, what,
			       text_printable(is, strlen(is)) ? is : "?", wanted);
	return true;
}

void judge_system(const struct judge_input *input, const uint8_t then[PCRS][TPM_DIGEST], const struct judge_assigned *assigned,
		  struct judgement *ret_judgement)
{
	struct judgement *j = ret_judgement;
	char number[24], text[2][20];

	*j = (struct judgement){ .pcr = -1 };
	if ((input->pcrs & PCRS_QUOTED) != PCRS_QUOTED) {
		verdict(j, LEVEL_FAILED, -1, 0, "the quote isn't about all of the PCRs that were asked for");
		return;
	}
	/* The running kernel may go on measuring into 5 and 6, about which nothing was proved; the rest is sealed. */
	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		if (!(PCRS_QUOTED & 1u << pcr) || pcr == PCR_REPAVE || pcr == 5 || pcr == 6 || !memcmp(input->values[pcr], then[pcr], TPM_DIGEST))
			continue;
		verdict(j, LEVEL_FAILED, (int)pcr, 0, "PCR %u: it isn't what stage 1 proved in this boot: %s… became %s…", pcr, shown(then[pcr], text[0]),
			shown(input->values[pcr], text[1]));
		return;
	}
	snprintf(number, sizeof number, "%llu", (unsigned long long)assigned->number);
	if (!input->events->count && check_own(input, j)) {
		verdict(j, LEVEL_NONE, PCR_REPAVE, 0, "PCR 8: its system was started by a reset, and so isn't measured");
		return;
	}
	if (!check_own(input, j) || !check_event(input->events, "repave.assignment", number, "the assignment", j) ||
	    !check_event(input->events, "repave.os", assigned->os, "the operating system", j) ||
	    !check_event(input->events, "repave.app", assigned->app[0] ? assigned->app : "-", "the application", j))
		return;
	if (!repave_event_find(input->events, "repave.cmdline") || !repave_event_find(input->events, "repave.kernel") ||
	    input->events->count != 5) {
		verdict(j, LEVEL_FAILED, PCR_REPAVE, 0, "PCR 8: the system's log isn't the five records of one start");
		return;
	}
	j->level = LEVEL_ATTESTED;
	snprintf(j->text, sizeof j->text, "assignment %s runs, with the root hashes that were assigned", number);
}
