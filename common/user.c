/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/user.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool user_name_ok(const char *name)
{
	/* Accounts and groups of Debian's base-passwd, of the packages of the image, and ours. A group of his name comes with each user. */
	static const char *const taken[] = {
		"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup", "list", "irc",
		"gnats", "nobody", "nogroup", "adm", "tty", "disk", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio",
		"dip", "operator", "src", "shadow", "utmp", "video", "sasl", "plugdev", "staff", "users", "sshd", "messagebus", "app", "input",
		"sgx", "kvm", "render", "crontab", "wheel", "systemd-network", "systemd-resolve", "systemd-timesync", "systemd-journal",
		"systemd-coredump", "ssh", "admin", "repave",
	};
	size_t size = strlen(name);

	if (size < 1 || size > USER_NAME_MOST || strspn(name, LOWER DIGITS "-_") != size || strspn(name, LOWER) == 0)
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return false;
	return true;
}

bool user_id_ok(uint64_t uid)
{
	return uid >= USER_ID_LEAST && uid <= USER_ID_MOST;
}

/* RFC 4253, 6.6: the key begins with its type as a string, 32 bits of length before it. */
static bool blob_is_of(const char *base64, size_t size, const char *type)
{
	char text[USER_KEY_SIZE_MOST + 1];
	struct buffer blob = { 0 };
	size_t length = strlen(type);
	bool ok;

	memcpy(text, base64, size);
	text[size] = '\0';
	ok = base64_parse(text, &blob) == 0 && blob.size > 4 + length && blob.data[0] == 0 && blob.data[1] == 0 && blob.data[2] == 0 &&
	     blob.data[3] == length && memcmp(blob.data + 4, type, length) == 0;
	buffer_release(&blob);
	return ok;
}

bool user_key_ok(const char *line)
{
	static const char *const types[] = { "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
					     "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com" };
	size_t size = strlen(line), length = strcspn(line, " ");

	if (size > USER_KEY_SIZE_MOST || line[length] == '\0')
		return false;
	for (size_t i = 0; i < size; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == length && memcmp(line, types[i], length) == 0)
			return blob_is_of(line + length + 1, strcspn(line + length + 1, " "), types[i]);
	return false;
}
