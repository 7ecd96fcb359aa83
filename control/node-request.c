// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/node-request.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/json.h"

#define MACS_MOST 64u
#define DISKS_MOST 256u
#define STAGES_MOST 64u
#define IMAGES_MOST 8u
#define CHANGED_MOST 64u

static const char *const slot_names[] = { "C0", "C1", "D0", "D1" };
static const char *const event_names[] = { [BOOT_PROGRESS] = "progress", [BOOT_KEXEC] = "kexec",
					     [BOOT_RESET] = "reset", [BOOT_FAILED] = "failed" };

const char *boot_event_name(enum boot_event event)
{
	return event_names[event];
}

int boot_event_parse(const char *text, enum boot_event *ret_event)
{
	for (size_t i = 0; i < sizeof event_names / sizeof event_names[0]; i++) {
		if (!strcmp(text, event_names[i])) {
			*ret_event = (enum boot_event)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* A string member, or "" when it is absent or null. 0 or -EINVAL (another type). */
static int take_text(const json_t *object, const char *key, size_t most, char *ret_text)
{
	const json_t *value = json_object_get(object, key);

	ret_text[0] = 0;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return -EINVAL;
	text_copy_printable(json_string_value(value), most, ret_text);
	return 0;
}

static int keep_text(const json_t *object, const char *key, size_t most, json_t *into)
{
	char text[DMI_TEXT_MOST + 1];

	if (most > DMI_TEXT_MOST || take_text(object, key, most, text) < 0)
		return -EINVAL;
	return json_object_set_new(into, key, json_string(text)) ? -ENOMEM : 0;
}

/* A whole number; absent counts as 0. */
static int keep_number(const json_t *object, const char *key, json_t *into)
{
	uint64_t value = 0;
	int r = json_get_u64(object, key, &value);

	if (r < 0 && r != -ENOENT)
		return r;
	return json_object_set_new(into, key, json_integer((json_int_t)value)) ? -ENOMEM : 0;
}

/* A list of at most `most` members, each turned by `keep`; absent or null counts as empty. */
static int keep_list(const json_t *object, const char *key, size_t most, json_t *(*keep)(const json_t *), json_t **ret_list)
{
	const json_t *list = json_object_get(object, key);
	json_t *kept = json_array();

	if (!kept)
		return -ENOMEM;
	if (list && !json_is_null(list) && (!json_is_array(list) || json_array_size(list) > most))
		goto invalid;
	for (size_t i = 0; i < json_array_size(list); i++) {
		/* A keeper returns NULL for what it refuses; json_array_append_new refuses NULL. */
		if (json_array_append_new(kept, keep(json_array_get(list, i))))
			goto invalid;
	}
	*ret_list = kept;
	return 0;
invalid:
	json_decref(kept);
	return -EINVAL;
}

static json_t *keep_mac(const json_t *value)
{
	const char *mac = json_string_value(value);

	if (!mac || !text_of(mac, "0123456789abcdefABCDEF:", 59))
		return NULL;
	return json_string(mac);
}

static json_t *keep_disk(const json_t *value)
{
	json_t *disk = json_object();

	if (!json_is_object(value) || keep_text(value, "name", 32, disk) < 0 || keep_number(value, "size_bytes", disk) < 0) {
		json_decref(disk);
		return NULL;
	}
	return disk;
}

static json_t *keep_stage(const json_t *value)
{
	const json_t *seconds = json_object_get(value, "seconds");
	char name[STAGE_NAME_MOST + 1];

	if (!json_is_object(value) || take_text(value, "name", STAGE_NAME_MOST, name) < 0 || !json_is_number(seconds))
		return NULL;
	if (!(json_number_value(seconds) >= 0) || !isfinite(json_number_value(seconds)))
		return NULL;
	return json_pack("{ss sf}", "name", name, "seconds", json_number_value(seconds));
}

/* [first, last] */
static json_t *keep_range(const json_t *value)
{
	const json_t *first = json_array_get(value, 0), *last = json_array_get(value, 1);

	if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(last) || json_integer_value(first) < 0 ||
	    json_integer_value(last) < json_integer_value(first))
		return NULL;
	return json_pack("[I,I]", json_integer_value(first), json_integer_value(last));
}

static json_t *keep_image(const json_t *value)
{
	static const char *const texts[] = { "slot", "target", "root_hash" };
	static const char *const numbers[] = { "blocks", "kept", "copied", "fetched", "wire_bytes", "patch_bytes", "repaired" };
	json_t *image = json_object(), *changed = NULL;
	int r = json_is_object(value) ? 0 : -EINVAL;

	for (size_t i = 0; !r && i < sizeof texts / sizeof texts[0]; i++)
		r = keep_text(value, texts[i], DMI_TEXT_MOST, image);
	for (size_t i = 0; !r && i < sizeof numbers / sizeof numbers[0]; i++)
		r = keep_number(value, numbers[i], image);
	if (!r && json_object_get(value, "changed")) {
		r = keep_list(value, "changed", CHANGED_MOST, keep_range, &changed);
		if (!r)
			json_object_set_new(image, "changed", changed);
	}
	if (r < 0) {
		json_decref(image);
		return NULL;
	}
	return image;
}

static int parse_inventory(const json_t *from, const char *id, json_t **ret_inventory, char ret_error[ERROR_TEXT])
{
	static const char *const texts[] = { "serial", "vendor", "product", "firmware" };
	const char *uuid = json_get_string(from, "uuid");
	json_t *inventory, *macs = NULL, *disks = NULL;
	int r = 0;

	if (!from || !uuid)
		return refused(ret_error, "the request has no inventory with a uuid");
	if (strcmp(uuid, id))
		return refused(ret_error, "the inventory's uuid is not the one in the address");
	inventory = json_pack("{ss}", "uuid", id);
	if (!inventory)
		return -ENOMEM;
	for (size_t i = 0; !r && i < sizeof texts / sizeof texts[0]; i++)
		r = keep_text(from, texts[i], DMI_TEXT_MOST, inventory);
	if (!r)
		r = keep_number(from, "memory_bytes", inventory);
	if (!r)
		r = keep_number(from, "cpus", inventory);
	if (!r)
		r = keep_list(from, "macs", MACS_MOST, keep_mac, &macs);
	if (!r)
		r = keep_list(from, "disks", DISKS_MOST, keep_disk, &disks);
	if (r < 0) {
		json_decref(inventory);
		json_decref(macs);
		return r == -ENOMEM ? r : refused(ret_error, "a member of the inventory has the wrong type or size");
	}
	json_object_set_new(inventory, "macs", macs);
	json_object_set_new(inventory, "disks", disks);
	*ret_inventory = inventory;
	return 0;
}

static int parse_slots(const json_t *from, json_t **ret_slots, char ret_error[ERROR_TEXT])
{
	json_t *slots = json_object();
	uint8_t hash[32];

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof slot_names / sizeof slot_names[0]; i++) {
		json_t *value = json_object_get(from, slot_names[i]);
		json_t *kept = json_null();

		if (value && !json_is_null(value)) {
			if (json_get_hex(from, slot_names[i], hash, sizeof hash) < 0) {
				json_decref(slots);
				return refused(ret_error, "slot %s is neither a root hash nor null", slot_names[i]);
			}
			kept = json_incref(value);
		}
		json_object_set_new(slots, slot_names[i], kept);
	}
	*ret_slots = slots;
	return 0;
}

static int parse_last_start(const json_t *from, struct last_start *ret_start, char ret_error[ERROR_TEXT])
{
	const char *nonce = json_get_string(from, "nonce"), *by = json_get_string(from, "by");
	const json_t *arrived = json_object_get(from, "arrived");

	if (!from || json_is_null(from))
		return 0;
	if (!nonce || !nonce_valid(nonce) || !by || start_way_parse(by, &ret_start->way) < 0 || !json_is_boolean(arrived))
		return refused(ret_error, "\"last_start\" must have a nonce, \"by\" (kexec or reset) and \"arrived\" (true or false)");
	strcpy(ret_start->nonce, nonce);
	ret_start->arrived = json_is_true(arrived);
	ret_start->known = true;
	return 0;
}

/* What says which kernel this is, what it can, and how its memory was before. */
static int parse_kernel(const json_t *root, struct boot_request *request, char ret_error[ERROR_TEXT])
{
	const json_t *zeroed = json_object_get(root, "memory_zeroed");
	const json_t *encrypts = json_object_get(root, "encryption");

	if (take_text(root, "boot_id", BOOT_ID_MOST, request->boot_id) < 0 ||
	    (request->boot_id[0] && !text_of(request->boot_id, "0123456789abcdef-", BOOT_ID_MOST)))
		return refused(ret_error, "\"boot_id\" must be that of a Linux kernel");
	if (take_text(root, "memory", MEMORY_WORD_MOST, request->memory) < 0 ||
	    (request->memory[0] && strcmp(request->memory, "cleared") && strcmp(request->memory, "not cleared")))
		return refused(ret_error, "\"memory\" must be \"cleared\" or \"not cleared\"");
	if (zeroed && !json_is_boolean(zeroed))
		return refused(ret_error, "\"memory_zeroed\" must be true or false");
	request->memory_zeroed = json_is_true(zeroed);
	if (encrypts && !json_is_boolean(encrypts))
		return refused(ret_error, "\"encryption\" must be true or false");
	request->encrypts = json_is_true(encrypts);
	return 0;
}

/* What both requests begin with: JSON object, format 1, nonce. The caller frees `*ret_root`. */
static int parse_head(const void *body, size_t size, json_t **ret_root, char ret_nonce[NONCE_SIZE + 1],
		      char ret_error[ERROR_TEXT])
{
	char why[160];
	uint64_t format = 0;
	const char *nonce;
	json_t *root = json_parse(body, size, why);

	if (!root)
		return refused(ret_error, "the body is %s", why);
	nonce = json_get_string(root, "nonce");
	if (json_get_u64(root, "format", &format) < 0 || format != 1 || !nonce || !nonce_valid(nonce)) {
		json_decref(root);
		return refused(ret_error, "the body must be an object with \"format\": 1 and a nonce of %u lower-case hexadecimal digits",
			      NONCE_SIZE);
	}
	strcpy(ret_nonce, nonce);
	*ret_root = root;
	return 0;
}

int boot_request_parse(const void *body, size_t size, const char *id, struct boot_request *ret_request,
		       char ret_error[ERROR_TEXT])
{
	struct boot_request request = { 0 };
	json_t *root;
	int r = parse_head(body, size, &root, request.nonce, ret_error);

	if (r < 0)
		return r;
	r = take_text(root, "stage1_version", STAGE1_VERSION_MOST, request.stage1_version);
	if (r < 0)
		r = refused(ret_error, "\"stage1_version\" must be a string");
	if (!r)
		r = parse_inventory(json_get_object(root, "inventory"), id, &request.inventory, ret_error);
	if (!r)
		r = parse_slots(json_get_object(root, "slots"), &request.slots, ret_error);
	if (!r)
		r = parse_last_start(json_object_get(root, "last_start"), &request.last_start, ret_error);
	if (!r)
		r = parse_kernel(root, &request, ret_error);
	if (!r && (take_text(root, "attestation", NONCE_SIZE, request.attestation) < 0 ||
		   (request.attestation[0] && !nonce_valid(request.attestation))))
		r = refused(ret_error, "\"attestation\" must be a session of %u hexadecimal digits", NONCE_SIZE);
	json_decref(root);
	if (r < 0)
		boot_request_release(&request);
	else
		*ret_request = request;
	return r;
}

void boot_request_release(struct boot_request *request)
{
	json_decref(request->inventory);
	json_decref(request->slots);
	request->inventory = request->slots = NULL;
}

/* 0 or -EINVAL. */
static int parse_progress(const json_t *from, struct boot_progress *ret_progress)
{
	struct boot_progress *p = ret_progress;
	static const char *const keys[] = { "done", "total", "rate" };
	uint64_t *const numbers[] = { &p->done, &p->total, &p->rate };

	*p = (struct boot_progress){ 0 };
	if (!from || json_is_null(from))
		return 0;
	if (!json_is_object(from) || take_text(from, "slot", SLOT_NAME_SIZE, p->slot) < 0 ||
	    take_text(from, "target", DMI_TEXT_MOST, p->target) < 0 || take_text(from, "phase", STAGE_NAME_MOST, p->phase) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (json_get_u64(from, keys[i], numbers[i]) == -EINVAL)
			return -EINVAL;
	return p->done <= p->total ? 0 : -EINVAL;
}

int boot_report_parse(const void *body, size_t size, struct boot_report *ret_report, char ret_error[ERROR_TEXT])
{
	struct boot_report report = { 0 };
	const char *event;
	json_t *root;
	int r = parse_head(body, size, &root, report.nonce, ret_error);

	if (r < 0)
		return r;
	event = json_get_string(root, "event");
	if (!event || boot_event_parse(event, &report.event) < 0)
		r = refused(ret_error, "\"event\" must be progress, kexec, reset or failed");
	if (!r && json_get_u64(root, "assignment", &report.assignment) == -EINVAL)
		r = refused(ret_error, "\"assignment\" must be a number");
	if (!r && (take_text(root, "stage", STAGE_NAME_MOST, report.stage) < 0 ||
		   take_text(root, "error", REPORT_ERROR_MOST, report.error) < 0))
		r = refused(ret_error, "\"stage\" and \"error\" must be strings");
	if (!r && parse_progress(json_object_get(root, "progress"), &report.progress) < 0)
		r = refused(ret_error, "\"progress\" must hold a slot, a target, a phase, and whole numbers with done <= total");
	if (!r && keep_list(root, "stages", STAGES_MOST, keep_stage, &report.stages) < 0)
		r = refused(ret_error, "\"stages\" must be a list of at most %u names with seconds", STAGES_MOST);
	if (!r && keep_list(root, "images", IMAGES_MOST, keep_image, &report.images) < 0)
		r = refused(ret_error, "\"images\" must be a list of at most %u slots with their counts", IMAGES_MOST);
	json_decref(root);
	if (r < 0)
		boot_report_release(&report);
	else
		*ret_report = report;
	return r;
}

void boot_report_release(struct boot_report *report)
{
	json_decref(report->stages);
	json_decref(report->images);
	report->stages = report->images = NULL;
}

/* Both have a format and a request for a certificate. The caller frees `*ret_root`. */
static int parse_certificate_request(const void *body, size_t size, json_t **ret_root, struct enrol_request *request,
				     char ret_error[ERROR_TEXT])
{
	uint64_t format = 0;
	char why[160];
	json_t *root = json_parse(body, size, why);

	*request = (struct enrol_request){ 0 };
	if (!root)
		return refused(ret_error, "the body is %s", why);
	if (json_get_u64(root, "format", &format) < 0 || format != 1 || !json_get_string(root, "csr")) {
		json_decref(root);
		return refused(ret_error, "the body must be an object with \"format\": 1 and \"csr\", a certificate request in PEM");
	}
	request->csr = json_incref(json_object_get(root, "csr"));
	*ret_root = root;
	return 0;
}

int enrol_request_parse(const void *body, size_t size, const char *id, struct enrol_request *ret_request,
			char ret_error[ERROR_TEXT])
{
	json_t *root;
	int r = parse_certificate_request(body, size, &root, ret_request, ret_error);

	if (r < 0)
		return r;
	r = parse_inventory(json_get_object(root, "inventory"), id, &ret_request->inventory, ret_error);
	json_decref(root);
	if (r < 0)
		enrol_request_release(ret_request);
	return r;
}

int agent_request_parse(const void *body, size_t size, bool with_nonce, struct enrol_request *ret_request,
			char ret_error[ERROR_TEXT])
{
	const char *nonce;
	json_t *root;
	int r = parse_certificate_request(body, size, &root, ret_request, ret_error);

	if (r < 0)
		return r;
	nonce = json_get_string(root, "nonce");
	if (with_nonce && (!nonce || !nonce_valid(nonce)))
		r = refused(ret_error, "\"nonce\" must be that of the boot");
	else if (with_nonce)
		strcpy(ret_request->nonce, nonce);
	json_decref(root);
	if (r < 0)
		enrol_request_release(ret_request);
	return r;
}

void enrol_request_release(struct enrol_request *request)
{
	json_decref(request->csr);
	json_decref(request->inventory);
	*request = (struct enrol_request){ 0 };
}
