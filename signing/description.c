/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser of image descriptions. Pure. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "signing/verified.h"
#include "signing/verity.h"

#define NAME_MOST 64u
#define ABSOLUTE_PATH_MOST 255u
#define CMDLINE_MOST 1024u
#define COMMAND_MOST 64u
#define PORTS_MOST 16u
#define ENVIRONMENT_MOST 64u
#define TEXT_MOST 4096u
#define FRAME_LEAST 16384u
#define FRAME_MOST 65536u

static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

__attribute__((format(printf, 2, 3))) static int bad(char error[160], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, 160, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Names and versions become parts of paths and URLs: a short set of characters, beginning with a letter or digit. */
static bool is_word(const char *text, const char *also)
{
	size_t size = strlen(text), at = 0;

	if (size == 0 || size > NAME_MOST || !strchr(alphanumeric, text[0]))
		return false;
	while (at < size && (strchr(alphanumeric, text[at]) || strchr(also, text[at])))
		at++;
	return at == size;
}

static bool is_printable(const char *text, size_t most)
{
	size_t size = strlen(text);

	if (size > most)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

/* Absolute, without empty, "." and ".." parts, and without blanks (some become words of a command line). */
static bool is_absolute_path(const char *path)
{
	const char *part = path;

	if (path[0] != '/' || strlen(path) > ABSOLUTE_PATH_MOST || !is_printable(path, ABSOLUTE_PATH_MOST) ||
	    strchr(path, ' '))
		return false;
	while (*part == '/') {
		size_t size = strcspn(++part, "/");

		if (size == 0 || (size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += size;
	}
	return true;
}

static int get_u32(const json_t *object, const char *key, uint32_t *ret_value)
{
	uint64_t value;

	if (json_get_u64(object, key, &value) < 0 || value > UINT32_MAX)
		return -EINVAL;
	*ret_value = (uint32_t)value;
	return 0;
}

static int get_path(const json_t *object, const char *key, const char **ret_path)
{
	*ret_path = json_get_string(object, key);
	return *ret_path && is_absolute_path(*ret_path) ? 0 : -EINVAL;
}

/* "01234567-89ab-cdef-0123-456789abcdef", as veritysetup prints it. */
static int parse_uuid(const char *text, uint8_t ret_uuid[16])
{
	char digits[33];
	size_t n = 0;

	if (strlen(text) != 36)
		return -EINVAL;
	for (size_t i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return -EINVAL;
		} else {
			digits[n++] = text[i];
		}
	}
	digits[n] = '\0';
	return hex_parse(digits, ret_uuid, 16);
}

static int parse_salt(const json_t *verity, struct image_description *d)
{
	const char *salt = json_get_string(verity, "salt");
	size_t digits = salt ? strlen(salt) : 1;

	if (digits % 2 != 0 || digits / 2 > VERITY_SALT_MOST)
		return -EINVAL;
	d->salt_size = (uint32_t)(digits / 2);
	return hex_parse(salt, d->salt, d->salt_size);
}

static int parse_verity(const json_t *custom, struct image_description *d, char error[160])
{
	const json_t *verity = json_get_object(custom, "verity");
	const char *algorithm = json_get_string(verity, "algorithm"), *uuid = json_get_string(verity, "uuid");
	struct verity_layout layout;
	uint64_t block_size;

	if (!algorithm || strcmp(algorithm, "sha256") != 0)
		return bad(error, "verity.algorithm must be \"sha256\"");
	if (json_get_u64(verity, "block_size", &block_size) < 0 || block_size != VERITY_BLOCK)
		return bad(error, "verity.block_size must be %u", VERITY_BLOCK);
	if (json_get_u64(verity, "data_blocks", &d->data_blocks) < 0 || verity_layout_init(&layout, d->data_blocks) < 0)
		return bad(error, "verity.data_blocks must be a number from 2 to 2^40");
	if (parse_salt(verity, d) < 0)
		return bad(error, "verity.salt must be at most %d bytes in hexadecimal", VERITY_SALT_MOST);
	if (json_get_hex(verity, "root_hash", d->root_hash, sizeof(d->root_hash)) < 0)
		return bad(error, "verity.root_hash must be 64 hexadecimal digits");
	if (!uuid || parse_uuid(uuid, d->uuid) < 0)
		return bad(error, "verity.uuid must be a UUID");
	if (json_get_u64(json_get_object(custom, "image"), "size", &d->image_size) < 0 ||
	    d->image_size != layout.image_blocks * VERITY_BLOCK)
		return bad(error, "image.size must be %llu: %llu blocks of data, 1 of superblock, %llu of tree",
			   (unsigned long long)(layout.image_blocks * VERITY_BLOCK),
			   (unsigned long long)d->data_blocks, (unsigned long long)layout.tree_blocks);
	return 0;
}

static int parse_wire(const json_t *custom, struct image_description *d, char error[160])
{
	const json_t *wire = json_get_object(custom, "wire");
	const char *encoding = json_get_string(wire, "encoding");
	uint64_t frames;

	if (!encoding || strcmp(encoding, "zstd-seekable") != 0)
		return bad(error, "wire.encoding must be \"zstd-seekable\"");
	if (json_get_u64(wire, "size", &d->wire_size) < 0 || d->wire_size == 0)
		return bad(error, "wire.size must be a positive number");
	if (get_u32(wire, "frame_size", &d->frame_size) < 0 || d->frame_size < FRAME_LEAST ||
	    d->frame_size > FRAME_MOST || d->frame_size % VERITY_BLOCK != 0)
		return bad(error, "wire.frame_size must be a multiple of %u from %u to %u", VERITY_BLOCK, FRAME_LEAST,
			   FRAME_MOST);
	frames = (d->image_size + d->frame_size - 1) / d->frame_size;
	if (get_u32(wire, "frames", &d->frames) < 0 || d->frames != frames)
		return bad(error, "wire.frames must be %llu (image.size / frame_size, rounded up)",
			   (unsigned long long)frames);
	return 0;
}

static int parse_os(const json_t *custom, struct image_description *d, char error[160])
{
	const json_t *os = json_get_object(custom, "os");

	if (json_object_get(custom, "requires_os") || json_object_get(custom, "app"))
		return bad(error, "an OS image has no \"app\" and no \"requires_os\"");
	if (get_path(os, "kernel", &d->kernel) < 0)
		return bad(error, "os.kernel must be an absolute path without \"..\"");
	if (get_path(os, "initrd", &d->initrd) < 0)
		return bad(error, "os.initrd must be an absolute path without \"..\"");
	d->cmdline = json_get_string(os, "cmdline");
	if (!d->cmdline || !is_printable(d->cmdline, CMDLINE_MOST))
		return bad(error, "os.cmdline must be one line of at most %u characters", CMDLINE_MOST);
	/* Stage 1 builds these itself. Anywhere, because the kernel takes quotes away. */
	if (strstr(d->cmdline, "repave."))
		return bad(error, "os.cmdline must not hold \"repave.\": such parameters are stage 1's own");
	return 0;
}

static int check_command(const json_t *app, char error[160])
{
	const json_t *command = json_get_array(app, "command");
	size_t n = json_array_size(command);

	if (n == 0 || n > COMMAND_MOST)
		return bad(error, "app.command must be a list of 1 to %u strings", COMMAND_MOST);
	for (size_t i = 0; i < n; i++) {
		const char *word = json_string_value(json_array_get(command, i));

		if (!word || !is_printable(word, TEXT_MOST))
			return bad(error, "app.command[%zu] must be a string of at most %u printable characters", i,
				   TEXT_MOST);
	}
	if (!is_absolute_path(json_string_value(json_array_get(command, 0))))
		return bad(error, "app.command[0] must be the absolute path of a program");
	return 0;
}

static int check_environment(const json_t *app, char error[160])
{
	const char *name;
	json_t *value, *environment = json_iterable(json_get_object(app, "environment"));

	if (!environment)
		return json_object_get(app, "environment") ? bad(error, "app.environment must be an object") : 0;
	if (json_object_size(environment) > ENVIRONMENT_MOST)
		return bad(error, "app.environment has more than %u variables", ENVIRONMENT_MOST);
	json_object_foreach(environment, name, value) {
		if (!is_word(name, "_") && !(name[0] == '_' && is_word(name + 1, "_")))
			return bad(error, "app.environment: \"%.64s\" is no name of a variable", name);
		if (!json_is_string(value) || !is_printable(json_string_value(value), TEXT_MOST))
			return bad(error, "app.environment: %s must be one line of text", name);
	}
	return 0;
}

static bool is_port(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= 65535;
}

static int check_health(const json_t *app, char error[160])
{
	const json_t *health = json_get_object(app, "health");
	const char *type = json_get_string(health, "type"), *path = json_get_string(health, "path");

	if (!type || (strcmp(type, "http") != 0 && strcmp(type, "tcp") != 0))
		return bad(error, "app.health.type must be \"http\" or \"tcp\"");
	if (!is_port(json_object_get(health, "port")))
		return bad(error, "app.health.port must be a number from 1 to 65535");
	if (strcmp(type, "http") == 0 && (!path || path[0] != '/' || !is_printable(path, TEXT_MOST) || strchr(path, ' ')))
		return bad(error, "app.health.path must begin with \"/\"");
	return 0;
}

/* Which folders may be one, the OS knows that mounts it. */
static int check_home(const json_t *app, char error[160])
{
	const json_t *home = json_object_get(app, "home");
	const char *path;

	if (!home || get_path(home, "path", &path) == 0)
		return 0;
	return bad(error, "app.home must have a \"path\", an absolute one");
}

static int parse_app(const json_t *custom, struct image_description *d, char error[160])
{
	const json_t *app = json_get_object(custom, "app"), *ports = json_get_array(app, "ports");
	const char *user = json_get_string(app, "user");
	int r;

	d->requires_os = json_get_string(custom, "requires_os");
	if (!d->requires_os || !is_word(d->requires_os, "._-"))
		return bad(error, "an application image needs \"requires_os\", the name of an OS");
	if (json_object_get(custom, "os") || !app)
		return bad(error, "an application image has \"app\" and no \"os\"");
	r = check_command(app, error);
	if (r < 0)
		return r;
	/* Not a number: user 0 has that name too. */
	if (!user || !is_word(user, "_-") || strspn(user, "0123456789") > 0 || strcmp(user, "root") == 0)
		return bad(error, "app.user must be the name of a user other than root");
	r = check_environment(app, error);
	if (r < 0)
		return r;
	if (!ports || json_array_size(ports) > PORTS_MOST)
		return bad(error, "app.ports must be a list of at most %u numbers", PORTS_MOST);
	for (size_t i = 0; i < json_array_size(ports); i++)
		if (!is_port(json_array_get(ports, i)))
			return bad(error, "app.ports[%zu] must be a number from 1 to 65535", i);
	r = check_home(app, error);
	return r < 0 ? r : check_health(app, error);
}

static int parse_identity(const json_t *custom, struct image_description *d, char error[160])
{
	const char *kind = json_get_string(custom, "kind");
	uint64_t format;

	if (json_get_u64(custom, "format", &format) < 0 || format != 1)
		return bad(error, "format must be 1");
	if (kind && strcmp(kind, "os") == 0)
		d->kind = IMAGE_OS;
	else if (kind && strcmp(kind, "app") == 0)
		d->kind = IMAGE_APP;
	else
		return bad(error, "kind must be \"os\" or \"app\"");
	d->name = json_get_string(custom, "name");
	if (!d->name || !is_word(d->name, "._-"))
		return bad(error, "name must be 1 to %u of [A-Za-z0-9._-], beginning with a letter or digit", NAME_MOST);
	d->version = json_get_string(custom, "version");
	if (!d->version || !is_word(d->version, ".+~-"))
		return bad(error, "version must be 1 to %u of [A-Za-z0-9.+~-], beginning with a letter or digit",
			   NAME_MOST);
	return 0;
}

int image_description_parse(const json_t *custom, struct image_description *ret_description, char ret_error[160])
{
	struct image_description d = { 0 };
	int r;

	if (!json_is_object(custom))
		return bad(ret_error, "the description isn't a JSON object");
	r = parse_identity(custom, &d, ret_error);
	if (r == 0)
		r = parse_verity(custom, &d, ret_error);
	if (r == 0)
		r = parse_wire(custom, &d, ret_error);
	if (r == 0)
		r = d.kind == IMAGE_OS ? parse_os(custom, &d, ret_error) : parse_app(custom, &d, ret_error);
	if (r == 0)
		*ret_description = d;
	return r;
}

void image_target_path(const struct image_description *description, char ret_path[IMAGE_PATH_SIZE])
{
	if (description->kind == IMAGE_OS)
		snprintf(ret_path, IMAGE_PATH_SIZE, "os/%.64s/%.64s.img.zst", description->name, description->version);
	else
		snprintf(ret_path, IMAGE_PATH_SIZE, "app/%.64s/%.64s/%.64s.img.zst", description->name,
			 description->requires_os, description->version);
}
