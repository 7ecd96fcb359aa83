// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fleet-file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/json.h"

/* ------------------------------------------------------------------ what may stand where */

/* A mapping's key, "*" for any; `members` NULL: a word or a list of words. Ends with key NULL. In a list each entry is like the list. */
struct shape {
	const char *key;
	const struct shape *members;
};

static const struct shape any_word[] = { { "*", NULL }, { NULL, NULL } };
static const struct shape service[] = { { "port", NULL }, { "server_port", NULL }, { "mode", NULL }, { "check", NULL }, { "hosts", NULL },
					{ "path", NULL }, { "header", any_word }, { "sessions", NULL }, { NULL, NULL } };
static const struct shape user[] = { { "name", NULL }, { "uid", NULL }, { "keys", NULL }, { "privileged", NULL }, { NULL, NULL } };
static const struct shape calendar[] = { { "zone", NULL }, { "windows", NULL }, { "except", NULL }, { NULL, NULL } };
/* What there is of these is known where they are read: control/policy.c, control/rules.c, control/decision-settings.c. */
static const struct shape policy[] = { { "when", calendar }, { "*", NULL }, { NULL, NULL } };
static const struct shape group[] = { { "account", NULL }, { "os", NULL }, { "app", NULL }, { "minimum", NULL }, { "service", service },
				      { "users", user }, { "policy", policy }, { "h_encryption", NULL }, { "encryption", NULL }, { "attestation", NULL },
				      { NULL, NULL } };
static const struct shape groups[] = { { "*", group }, { NULL, NULL } };
static const struct shape node[] = { { "node", NULL }, { "serial", NULL }, { "mac", NULL }, { "group", NULL }, { "spare", NULL },
				     { "hostname", NULL }, { "ssh_authorized_keys", NULL }, { "users", user }, { "address", NULL }, { "weight", NULL },
				     { "site", NULL }, { "rack", NULL }, { NULL, NULL } };
static const struct shape planned[] = { { "node", NULL }, { "kind", NULL }, { "from", NULL }, { "to", NULL }, { "when", calendar }, { "lead", NULL },
				      { "force", NULL }, { "reason", NULL }, { NULL, NULL } };
static const struct shape balancer[] = { { "sockets", NULL }, { "bind", NULL }, { "retry_after", NULL }, { NULL, NULL } };
static const struct shape settings[] = { { "enrol", NULL }, { "clone_seconds", NULL }, { "interval", NULL }, { "images", NULL },
					{ NULL, NULL } };
static const struct shape notify[] = { { "name", NULL }, { "webhook", NULL }, { "webhook_file", NULL }, { "secret_file", NULL }, { "ca_file", NULL },
				       { "mail", NULL }, { "from", NULL }, { "sendmail", NULL }, { "command", NULL }, { "on", NULL }, { "account", NULL },
				       { "subject", NULL }, { "text", NULL }, { "timeout", NULL }, { "retry", NULL }, { "give_up", NULL },
				       { "per_minute", NULL }, { NULL, NULL } };
static const struct shape fleet_shape[] = { { "groups", groups }, { "nodes", node }, { "balancer", balancer }, { "settings", settings },
					    { "decisions", any_word }, { "rules", any_word }, { "events", planned }, { "notify", notify },
					    { NULL, NULL } };

static const struct shape *find_shape(const struct shape *shape, const char *key)
{
	for (; shape && shape->key; shape++)
		if (!strcmp(shape->key, "*") || !strcmp(shape->key, key))
			return shape;
	return NULL;
}

/* ------------------------------------------------------------------ words */

enum word { WORD_TEXT, WORD_NULL, WORD_TRUE, WORD_FALSE, WORD_NUMBER, WORD_DOUBTFUL };

/* What a word without quotes is. */
static enum word kind_of(const char *text)
{
	static const char *const doubtful[] = { "yes", "no", "on", "off", "y", "n" };
	const char *digits = text[0] == '-' ? text + 1 : text;

	if (!text[0] || !strcmp(text, "~") || !strcasecmp(text, "null"))
		return WORD_NULL;
	if (!strcasecmp(text, "true"))
		return WORD_TRUE;
	if (!strcasecmp(text, "false"))
		return WORD_FALSE;
	for (size_t i = 0; i < sizeof doubtful / sizeof doubtful[0]; i++)
		if (!strcasecmp(text, doubtful[i]))
			return WORD_DOUBTFUL;
	/* Of a number with a zero in front the versions of YAML think differently, and people mean text. */
	if (text_of(digits, "0123456789", 18) && (digits[0] != '0' || !digits[1]))
		return WORD_NUMBER;
	return WORD_TEXT;
}

/* ------------------------------------------------------------------ reading */

struct reader {
	yaml_parser_t parser;
	char *error;
	json_t *lines;           /* as fleet_file_parse has them; NULL: nobody asks */
	char section[16];        /* the key of the first level that is being read */
};

static int refuse_at(struct reader *reader, const yaml_mark_t *mark, const char *what, const char *word)
{
	bool shown = word && text_printable(word, strlen(word));

	return refused(reader->error, "line %zu, column %zu: %s%s%.64s%s", mark->line + 1, mark->column + 1, what, shown ? " \"" : "",
		       shown ? word : "", shown ? "\"" : "");
}

/* Where a section begins (`entry` NULL), or an entry of it, which is `depth` levels below the first. */
static void note_line(struct reader *reader, const yaml_mark_t *mark, unsigned depth, const char *entry)
{
	char *path;

	if (depth == FLEET_FILE_DEPTH - 1 && entry)
		snprintf(reader->section, sizeof reader->section, "%s", entry);
	if (!reader->lines || !entry || depth != FLEET_FILE_DEPTH - 2 || asprintf(&path, "%s/%s", reader->section, entry) < 0)
		return;
	/* A key that isn't UTF-8 is refused where it is used. */
	json_object_set_new(reader->lines, path, json_integer((json_int_t)mark->line + 1));
	free(path);
}

static int next_event(struct reader *reader, yaml_event_t *ret_event)
{
	const yaml_parser_t *p = &reader->parser;
	char what[160];
	int r;

	if (yaml_parser_parse(&reader->parser, ret_event))
		return 0;
	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	snprintf(what, sizeof what, "this isn't YAML: %s%s%s", p->context ? p->context : "", p->context ? ": " : "",
		 p->problem ? p->problem : "unreadable");
	/* Of bytes that are no text there is no mark, but an offset. */
	r = p->error == YAML_READER_ERROR ? refused(reader->error, "byte %zu: %s", p->problem_offset + 1, what) :
					    refuse_at(reader, &p->problem_mark, what, NULL);
	return r;
}

static int read_value(struct reader *reader, yaml_event_t *event, const struct shape *shape, unsigned depth, json_t **ret_value);

static int read_scalar(struct reader *reader, const yaml_event_t *event, json_t **ret_value)
{
	const char *text = (const char *)event->data.scalar.value;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (event->data.scalar.tag)
		return refuse_at(reader, &event->start_mark, "tags aren't allowed:", (const char *)event->data.scalar.tag);
	if (strlen(text) != event->data.scalar.length)
		return refuse_at(reader, &event->start_mark, "a NUL isn't allowed in a text", NULL);
	switch (plain ? kind_of(text) : WORD_TEXT) {
	case WORD_NULL: *ret_value = json_null(); break;
	case WORD_TRUE: *ret_value = json_true(); break;
	case WORD_FALSE: *ret_value = json_false(); break;
	case WORD_NUMBER: *ret_value = json_integer(strtoll(text, NULL, 10)); break;
	case WORD_TEXT: *ret_value = json_string(text); break;
	case WORD_DOUBTFUL:
		return refuse_at(reader, &event->start_mark, "write true or false, or put quotes around", text);
	}
	return *ret_value ? 0 : -ENOMEM;
}

static int read_list(struct reader *reader, const struct shape *shape, unsigned depth, json_t **ret_value)
{
	json_t *list = json_array(), *value;
	yaml_event_t event;
	char number[24];
	bool end = false;
	int r = list ? 0 : -ENOMEM;

	while (!r && !end) {
		r = next_event(reader, &event);
		if (r < 0)
			break;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end) {
			snprintf(number, sizeof number, "%zu", json_array_size(list) + 1);
			note_line(reader, &event.start_mark, depth, number);
			r = read_value(reader, &event, shape, depth, &value);
			if (!r && json_array_append_new(list, value) < 0)
				r = -ENOMEM;
		}
		yaml_event_delete(&event);
	}
	if (r < 0)
		json_decref(list);
	else
		*ret_value = list;
	return r;
}

/* The pair whose key is `key_event`. */
static int read_pair(struct reader *reader, const yaml_event_t *key_event, const struct shape *shape, unsigned depth, json_t *object)
{
	const char *key = (const char *)key_event->data.scalar.value;
	const struct shape *known;
	yaml_event_t event;
	json_t *value;
	int r;

	if (key_event->type != YAML_SCALAR_EVENT || key_event->data.scalar.tag || strlen(key) != key_event->data.scalar.length)
		return refuse_at(reader, &key_event->start_mark, "a key must be a word", NULL);
	known = find_shape(shape, key);
	if (!known)
		return refuse_at(reader, &key_event->start_mark, "there is no key", key);
	if (json_object_get(object, key))
		return refuse_at(reader, &key_event->start_mark, "twice in the same mapping:", key);
	note_line(reader, &key_event->start_mark, depth, key);
	r = next_event(reader, &event);
	if (r < 0)
		return r;
	r = read_value(reader, &event, known->members, depth, &value);
	if (!r && json_object_set_new(object, key, value) < 0)
		r = refuse_at(reader, &key_event->start_mark, "a key must be UTF-8", NULL);
	yaml_event_delete(&event);
	return r;
}

static int read_mapping(struct reader *reader, const yaml_event_t *start, const struct shape *shape, unsigned depth, json_t **ret_value)
{
	json_t *object;
	yaml_event_t event;
	bool end = false;
	int r = 0;

	if (!shape)
		return refuse_at(reader, &start->start_mark, "a word or a list of words is expected here, no mapping", NULL);
	object = json_object();
	if (!object)
		return -ENOMEM;
	while (!r && !end) {
		r = next_event(reader, &event);
		if (r < 0)
			break;
		end = event.type == YAML_MAPPING_END_EVENT;
		if (!end)
			r = event.type == YAML_ALIAS_EVENT ? refuse_at(reader, &event.start_mark, "aliases aren't allowed", NULL) :
							     read_pair(reader, &event, shape, depth, object);
		yaml_event_delete(&event);
	}
	if (r < 0)
		json_decref(object);
	else
		*ret_value = object;
	return r;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor;
	default: return NULL;
	}
}

/* The value that begins with `event`, which stays the caller's. */
static int read_value(struct reader *reader, yaml_event_t *event, const struct shape *shape, unsigned depth, json_t **ret_value)
{
	if (event->type == YAML_ALIAS_EVENT || anchor_of(event))
		return refuse_at(reader, &event->start_mark, "anchors and aliases aren't allowed", NULL);
	if (depth == 0)
		return refuse_at(reader, &event->start_mark, "this is nested too deep", NULL);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event, ret_value);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.tag)
			return refuse_at(reader, &event->start_mark, "tags aren't allowed:", (const char *)event->data.sequence_start.tag);
		return read_list(reader, shape, depth - 1, ret_value);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.tag)
			return refuse_at(reader, &event->start_mark, "tags aren't allowed:", (const char *)event->data.mapping_start.tag);
		return read_mapping(reader, event, shape, depth - 1, ret_value);
	default:
		return refuse_at(reader, &event->start_mark, "a value is missing", NULL);
	}
}

static int expect_event(struct reader *reader, yaml_event_type_t type, const char *what)
{
	yaml_event_t event;
	int r = next_event(reader, &event);

	if (r < 0)
		return r;
	if (event.type != type)
		r = refuse_at(reader, &event.start_mark, what, NULL);
	yaml_event_delete(&event);
	return r;
}

static int read_document(struct reader *reader, json_t **ret_fleet)
{
	yaml_event_t event;
	json_t *fleet = NULL;
	int r = expect_event(reader, YAML_STREAM_START_EVENT, "this isn't YAML");

	if (!r)
		r = expect_event(reader, YAML_DOCUMENT_START_EVENT, "the file is empty");
	if (!r)
		r = next_event(reader, &event);
	if (r < 0)
		return r;
	if (event.type != YAML_MAPPING_START_EVENT)
		r = refuse_at(reader, &event.start_mark, "a fleet file is a mapping with groups, nodes, balancer, settings, decisions or rules", NULL);
	else
		r = read_value(reader, &event, fleet_shape, FLEET_FILE_DEPTH, &fleet);
	yaml_event_delete(&event);
	if (!r)
		r = expect_event(reader, YAML_DOCUMENT_END_EVENT, "more than one value");
	if (!r)
		r = expect_event(reader, YAML_STREAM_END_EVENT, "a fleet file is one document");
	if (r < 0)
		json_decref(fleet);
	else
		*ret_fleet = fleet;
	return r;
}

int fleet_file_parse(const char *text, size_t size, json_t **ret_fleet, json_t *lines, char ret_error[ERROR_TEXT])
{
	struct reader reader = { .error = ret_error, .lines = lines };
	int r;

	if (size > FLEET_FILE_MOST)
		return refused(ret_error, "a fleet file has at most %u bytes", FLEET_FILE_MOST);
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	r = read_document(&reader, ret_fleet);
	yaml_parser_delete(&reader.parser);
	return r;
}

/* ------------------------------------------------------------------ writing */

static int emit(yaml_emitter_t *emitter, yaml_event_t *event, int initialized)
{
	return initialized && yaml_emitter_emit(emitter, event) ? 0 : -ENOMEM;
}

static int write_word(yaml_emitter_t *emitter, const char *text, bool is_text)
{
	bool quotes = is_text && kind_of(text) != WORD_TEXT;
	yaml_event_t event;

	return emit(emitter, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
						 quotes ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE));
}

static int write_value(yaml_emitter_t *emitter, const json_t *value);

static int write_list(yaml_emitter_t *emitter, const json_t *list)
{
	yaml_event_t event;
	const json_t *entry;
	size_t i;
	int r = emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
									  json_array_size(list) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE));

	json_array_foreach(json_iterable(list), i, entry)
		if (!r)
			r = write_value(emitter, entry);
	return r ? r : emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static int write_mapping(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *key;
	json_t *value;
	int r = emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
									 json_object_size(object) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE));

	json_object_foreach(json_iterable(object), key, value) {
		if (!r)
			r = write_word(emitter, key, true);
		if (!r)
			r = write_value(emitter, value);
	}
	return r ? r : emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static int write_value(yaml_emitter_t *emitter, const json_t *value)
{
	char number[24];

	if (json_is_object(value))
		return write_mapping(emitter, value);
	if (json_is_array(value))
		return write_list(emitter, value);
	if (json_is_string(value))
		return write_word(emitter, json_string_value(value), true);
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	return write_word(emitter, json_is_integer(value) ? number : json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null",
			  false);
}

static int write_document(yaml_emitter_t *emitter, const json_t *fleet)
{
	yaml_event_t event;
	int r = emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));

	if (!r)
		r = emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	if (!r)
		r = write_value(emitter, fleet);
	if (!r)
		r = emit(emitter, &event, yaml_document_end_event_initialize(&event, 1));
	return r ? r : emit(emitter, &event, yaml_stream_end_event_initialize(&event));
}

int fleet_file_format(const json_t *fleet, char **ret_text)
{
	size_t size = 0;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &size);
	yaml_emitter_t emitter;
	int r = stream && yaml_emitter_initialize(&emitter) ? 0 : -ENOMEM;

	if (!r) {
		yaml_emitter_set_unicode(&emitter, 1);
		yaml_emitter_set_width(&emitter, -1);
		yaml_emitter_set_output_file(&emitter, stream);
		r = write_document(&emitter, fleet);
		yaml_emitter_delete(&emitter);
	}
	if (stream && fclose(stream))
		r = -ENOMEM;
	if (r < 0)
		free(text);
	else
		*ret_text = text;
	return r;
}
