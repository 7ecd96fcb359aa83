/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: what UEFI and kexec start. Signatures of programs are made by sbsign, lists for the firmware by efitools. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/authenticode.h"
#include "signing/command.h"
#include "signing/secureboot.h"
#include "signing/tool.h"

#define PROGRAM_MOST (512u << 20)
#define FILE_MOST (64u << 20)
#define SIGNATURES_MOST 16
#define OWNER_MOST 64
/* Of the signed lists: a later change must have a later one. */
#define LIST_TIME "2020-01-01 00:00:00"

static const char *const names[] = { "PK", "KEK", "db" };

struct path {
	char text[4096];
};

static struct path join(const char *folder, const char *name, const char *ending)
{
	struct path path;

	/* One that doesn't fit can't be opened, which is said then. */
	if (snprintf(path.text, sizeof(path.text), "%s/%s%s", folder, name, ending) >= (int)sizeof(path.text))
		memset(path.text, 'x', sizeof(path.text) - 1);
	path.text[sizeof(path.text) - 1] = '\0';
	return path;
}

/* ------------------------------------------------------------------ init */
static int make_guid(const char *folder, char ret_text[37])
{
	uint8_t b[16];
	char line[38];
	int r;

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return log_error(-EIO, "no random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret_text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
		 b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	snprintf(line, sizeof(line), "%s\n", ret_text);
	r = file_store(join(folder, "GUID", "").text, line, strlen(line), 0644);
	return r < 0 ? log_error(r, "can't write into %s", folder) : 0;
}

/* KEK and db are signed by the key above them, PK by itself. */
static int make_lists(const char *folder, const char *guid)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sizeof(names) / sizeof(*names); i++) {
		const char *signer = i < 2 ? "PK" : "KEK";
		struct path crt = join(folder, names[i], ".crt"), esl = join(folder, names[i], ".esl"), auth = join(folder, names[i], ".auth"),
			    signer_crt = join(folder, signer, ".crt"), signer_key = join(folder, signer, ".key");

		r = tool_run((const char *const[]){ "cert-to-efi-sig-list", "-g", guid, crt.text, esl.text, NULL });
		if (r == 0)
			r = tool_run((const char *const[]){ "sign-efi-sig-list", "-t", LIST_TIME, "-g", guid, "-c", signer_crt.text, "-k",
							   signer_key.text, names[i], esl.text, auth.text, NULL });
		if (r == 0 && (chmod(esl.text, 0644) < 0 || chmod(auth.text, 0644) < 0))
			r = log_error(-errno, "%s", esl.text);
	}
	return r;
}

static void remove_folder(const char *folder)
{
	static const char *const endings[] = { ".key", ".crt", ".cer", ".esl", ".auth" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (unsigned k = 0; k < sizeof(endings) / sizeof(*endings); k++)
			unlink(join(folder, names[i], endings[k]).text);
	unlink(join(folder, "GUID", "").text);
	rmdir(folder);
}

static bool is_owner(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < size; i++)
		if (strchr(",=+\"\\<>#;/", name[i]) || (unsigned char)name[i] < ' ' || (unsigned char)name[i] >= 0x7f)
			return false;
	return size > 0 && size <= OWNER_MOST;
}

int run_secureboot_init(const struct arguments *a)
{
	const char *owner = a->name ? a->name : "Repave";
	char guid[37], work[4096];
	size_t size = strlen(a->keys);
	int r = 0;

	if (!is_owner(owner)) {
		log_error(0, "\"%s\" is no name for certificates: at most %d printable characters, none of ,=+\"\\<>#;/", owner, OWNER_MOST);
		return WRONG_USAGE;
	}
	while (size > 1 && a->keys[size - 1] == '/')
		size--;
	if (snprintf(work, sizeof(work), "%.*s.new-XXXXXX", (int)size, a->keys) >= (int)sizeof(work))
		return log_error(-ENAMETOOLONG, "%s", a->keys);
	/* All of it appears at once: half a set of keys would be enrolled by somebody. mkdtemp makes it the owner's only. */
	if (!mkdtemp(work))
		return log_error(-errno, "can't make a folder beside %s", a->keys);
	for (unsigned i = 0; r == 0 && i < sizeof(names) / sizeof(*names); i++)
		r = secureboot_make_pair(work, names[i], owner);
	if (r == 0)
		r = make_guid(work, guid);
	if (r == 0)
		r = make_lists(work, guid);
	if (r == 0 && rename(work, a->keys) < 0)
		r = log_error(-errno, "%s exists already, or can't be made: keys are never replaced", a->keys);
	if (r < 0) {
		remove_folder(work);
		return r;
	}
	printf("made PK, KEK and db in %s; repave-sign(1) says how firmware gets them\n", a->keys);
	return 0;
}

/* ------------------------------------------------------------------ sign and verify */
static int count_signatures(const char *path, unsigned *ret_count)
{
	struct buffer data = { 0 };
	int r = file_load(path, PROGRAM_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read %s", path);
	r = authenticode_signatures(data.data, data.size, ret_count);
	buffer_release(&data);
	return r < 0 ? log_error(r, "%s is no program that UEFI starts", path) : 0;
}

/* Linux looks at the first signature only, so a distribution's own would hide ours. */
static int remove_signatures(const char *path)
{
	unsigned count = 0;
	int r = count_signatures(path, &count);

	for (unsigned i = 0; r == 0 && count > 0; i++) {
		if (i == SIGNATURES_MOST)
			return log_error(-EBADMSG, "%s has signatures that can't be removed", path);
		r = tool_run((const char *const[]){ "sbattach", "--remove", path, NULL });
		if (r == 0)
			r = count_signatures(path, &count);
	}
	return r;
}

static int verify(const char *keys, const char *path)
{
	struct path crt = join(keys, "db", ".crt");
	unsigned count = 0;
	int r = count_signatures(path, &count);

	if (r < 0)
		return r;
	if (count != 1)
		return log_error(-EBADMSG, "%s has %u signatures, and must have this one only", path, count);
	return tool_run((const char *const[]){ "sbverify", "--cert", crt.text, path, NULL });
}

static int sign_copy(const char *keys, const char *from, bool for_kexec, const char *unsigned_copy, const char *signed_copy)
{
	struct path key = join(keys, "db", ".key"), crt = join(keys, "db", ".crt");
	struct buffer data = { 0 };
	int r = file_load(from, PROGRAM_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read %s", from);
	if (for_kexec && pe_set_subsystem(data.data, data.size, PE_CONSOLE) < 0) {
		buffer_release(&data);
		return log_error(-EBADMSG, "%s is no kernel that can be signed", from);
	}
	r = file_store(unsigned_copy, data.data, data.size, 0600);
	buffer_release(&data);
	if (r < 0)
		return log_error(r, "can't write %s", unsigned_copy);
	r = remove_signatures(unsigned_copy);
	if (r == 0)
		r = tool_run((const char *const[]){ "sbsign", "--key", key.text, "--cert", crt.text, "--output", signed_copy, unsigned_copy,
						   NULL });
	return r == 0 ? verify(keys, signed_copy) : r;
}

int run_secureboot_sign(const struct arguments *a)
{
	struct path copy = join(a->output, "", ""), done = copy;
	struct stat status;
	int r;

	if (strlen(a->output) > sizeof(copy.text) - 16)
		return log_error(-ENAMETOOLONG, "%s", a->output);
	if (stat(a->rest[0], &status) < 0)
		return log_error(-errno, "%s", a->rest[0]);
	snprintf(copy.text, sizeof(copy.text), "%.*s.unsigned", (int)(sizeof(copy.text) - 16), a->output);
	snprintf(done.text, sizeof(done.text), "%.*s.signed", (int)(sizeof(done.text) - 16), a->output);
	r = sign_copy(a->keys, a->rest[0], a->for_kexec, copy.text, done.text);
	if (r == 0 && (chmod(done.text, status.st_mode & 0777) < 0 || rename(done.text, a->output) < 0))
		r = log_error(-errno, "can't write %s", a->output);
	unlink(copy.text);
	unlink(done.text);
	return r;
}

int run_secureboot_verify(const struct arguments *a)
{
	int r = verify(a->keys, a->rest[0]);

	if (r == 0)
		printf("%s: signed by %s/db.crt\n", a->rest[0], a->keys);
	return r;
}

int run_secureboot_digest(const struct arguments *a)
{
	char text[2 * SHA256_SIZE + 1];
	uint8_t digest[SHA256_SIZE];
	struct buffer data = { 0 };
	int r = file_load(a->rest[0], PROGRAM_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read %s", a->rest[0]);
	r = authenticode_digest(data.data, data.size, digest);
	buffer_release(&data);
	if (r < 0)
		return log_error(r, "%s is no program that UEFI starts", a->rest[0]);
	hex_format(digest, sizeof(digest), text);
	printf("%s\n", text);
	return 0;
}

/* ------------------------------------------------------------------ other files */
int run_secureboot_sign_file(const struct arguments *a)
{
	struct buffer data = { 0 }, text = { 0 };
	int r = file_load(a->rest[0], FILE_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read %s", a->rest[0]);
	r = secureboot_sign_bytes(join(a->keys, "db", ".key").text, data.data, data.size, &text);
	if (r == 0)
		r = buffer_add(&text, "\n", 1);
	if (r == 0) {
		r = file_store(a->output, text.data, text.size, 0644);
		if (r < 0)
			log_error(r, "can't write %s", a->output);
	}
	buffer_release(&data);
	buffer_release(&text);
	return r;
}

int run_secureboot_verify_file(const struct arguments *a)
{
	struct buffer data = { 0 }, text = { 0 };
	int r = file_load(a->rest[0], FILE_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read %s", a->rest[0]);
	r = file_load(a->signature, 4096, &text);
	if (r < 0)
		log_error(r, "can't read %s", a->signature);
	else if (text.size > 0 && text.data[text.size - 1] == '\n')
		text.data[--text.size] = '\0';
	if (r == 0)
		r = secureboot_check_bytes(join(a->keys, "db", ".crt").text, data.data, data.size, text.data ? (char *)text.data : "");
	if (r == 0)
		printf("%s: signed by %s/db.crt\n", a->rest[0], a->keys);
	buffer_release(&data);
	buffer_release(&text);
	return r;
}
