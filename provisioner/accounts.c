/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

#define FILE_MOST (1u << 20)
#define PATH_ROOM 256

/* Understood by OpenSSH and by dropbear alike. Without a pty he couldn't work; all else would go past what he may see. */
#define KEY_OPTIONS "no-port-forwarding,no-agent-forwarding,no-X11-forwarding "

/* ------------------------------------------------------------------ reading */
static int add_account(struct accounts *accounts, char *words)
{
	char *number = strchr(words, ' ');
	struct account *items, *account;
	uint64_t uid;

	if (number == NULL || accounts->count == USERS_MOST)
		return -EINVAL;
	*number++ = '\0';
	if (!user_name_ok(words) || parse_u64(number, &uid) < 0 || !user_id_ok(uid))
		return -EINVAL;
	for (size_t i = 0; i < accounts->count; i++)
		if (accounts->items[i].uid == uid || strcmp(accounts->items[i].name, words) == 0)
			return -EINVAL;
	items = realloc(accounts->items, (accounts->count + 1) * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	accounts->items = items;
	account = &items[accounts->count++];
	*account = (struct account){ .uid = (uint32_t)uid };
	strcpy(account->name, words);
	return 0;
}

static int take_line(struct accounts *accounts, char *line)
{
	if (strncmp(line, "user ", 5) == 0)
		return add_account(accounts, line + 5);
	if (strncmp(line, "key ", 4) != 0 || accounts->count == 0 || !user_key_ok(line + 4))
		return -EINVAL;
	return buffer_printf(&accounts->items[accounts->count - 1].keys, KEY_OPTIONS "%s\n", line + 4);
}

int accounts_parse(const void *text, size_t size, struct accounts *ret_accounts, char ret_error[SENTENCE])
{
	char *copy = strndup(text, size), *rest = copy, *line;
	unsigned number = 0;
	int r = copy != NULL ? 0 : -ENOMEM;

	*ret_accounts = (struct accounts){ 0 };
	if (copy != NULL && strlen(copy) != size)
		r = -EINVAL;
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL && (rest != NULL || line[0] != '\0')) {
		number++;
		r = rest != NULL ? take_line(ret_accounts, line) : -EINVAL;
	}
	free(copy);
	return r < 0 ? sentence(ret_error, r, "line %u of the users isn't sound", number) : 0;
}

void accounts_release(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++)
		buffer_release(&accounts->items[i].keys);
	free(accounts->items);
	*accounts = (struct accounts){ 0 };
}

bool accounts_taken(const char *text, const char *name, uint32_t number)
{
	char digits[16];
	size_t name_size = strlen(name), digits_size = (size_t)snprintf(digits, sizeof(digits), "%" PRIu32, number);

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *end = line + strcspn(line, "\n"), *field = line;

		if (strncmp(line, name, name_size) == 0 && line[name_size] == ':')
			return true;
		for (int colons = 0; colons < 2 && field != NULL; colons++) {
			field = memchr(field, ':', (size_t)(end - field));
			field = field != NULL ? field + 1 : NULL;
		}
		if (field != NULL && (size_t)(end - field) >= digits_size && memcmp(field, digits, digits_size) == 0 &&
		    (field[digits_size] == ':' || field + digits_size == end))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ writing */
/* passwd, group, shadow of the OS; the image's until they are stored. */
struct files {
	struct buffer passwd, group, shadow;
};

static int load(const char *root, const char *name, struct buffer *ret_text)
{
	char path[PATH_ROOM];
	int r;

	snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	r = file_load(path, FILE_MOST, ret_text);
	if (r == 0 && ret_text->size > 0 && ret_text->data[ret_text->size - 1] != '\n')
		r = buffer_add(ret_text, "\n", 1);
	return r == 0 && ret_text->data == NULL ? buffer_add(ret_text, "", 0) : r;
}

/* Replaces a file of the OS by a longer one: the same owner and mode. */
static int store(const char *root, const char *name, const struct buffer *text)
{
	char path[PATH_ROOM];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	if (stat(path, &st) < 0)
		return -errno;
	r = file_store(path, text->data, text->size, st.st_mode & 07777);
	return r == 0 && chown(path, st.st_uid, st.st_gid) < 0 ? -errno : r;
}

static int make_folder(const char *path, gid_t group)
{
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return -errno;
	return chown(path, 0, group) < 0 || chmod(path, 0750) < 0 ? -errno : 0;
}

/* Root's, so that he can't let others in; his group's, for dropbear reads them as the user. */
static int store_keys(const struct account *account, const char *root)
{
	char path[PATH_ROOM];
	int r;

	snprintf(path, sizeof(path), "%s/home", root);
	r = make_folders(path, 0755);
	snprintf(path, sizeof(path), "%s/home/%s", root, account->name);
	if (r == 0)
		r = make_folder(path, account->uid);
	snprintf(path, sizeof(path), "%s/home/%s/.ssh", root, account->name);
	if (r == 0)
		r = make_folder(path, account->uid);
	snprintf(path, sizeof(path), "%s/home/%s/.ssh/authorized_keys", root, account->name);
	if (r == 0)
		r = file_store(path, account->keys.data, account->keys.size, 0640);
	return r == 0 && chown(path, 0, account->uid) < 0 ? -errno : r;
}

static int add(const struct account *account, const char *root, struct files *files)
{
	int r;

	if (accounts_taken((const char *)files->passwd.data, account->name, account->uid) ||
	    accounts_taken((const char *)files->group.data, account->name, account->uid)) {
		dprintf(STDERR_FILENO, "stage 2: user %s (%" PRIu32 ") is left out: this OS has an account or group of that name or number\n",
			account->name, account->uid);
		return 0;
	}
	r = store_keys(account, root);
	if (r == 0)
		r = buffer_printf(&files->passwd, "%s:x:%" PRIu32 ":%" PRIu32 ":user:/home/%s:" ACCOUNT_SHELL "\n", account->name, account->uid,
				  account->uid, account->name);
	if (r == 0)
		r = buffer_printf(&files->group, "%s:x:%" PRIu32 ":\n", account->name, account->uid);
	return r == 0 ? buffer_printf(&files->shadow, "%s:*:0:0:99999:7:::\n", account->name) : r;
}

int accounts_make(const struct accounts *accounts, const char *root, char ret_error[SENTENCE])
{
	struct files files = { 0 };
	int r = load(root, "passwd", &files.passwd);

	if (r == 0)
		r = load(root, "group", &files.group);
	if (r == 0)
		r = load(root, "shadow", &files.shadow);
	for (size_t i = 0; r == 0 && i < accounts->count; i++)
		r = add(&accounts->items[i], root, &files);
	if (r == 0)
		r = store(root, "group", &files.group);
	if (r == 0)
		r = store(root, "shadow", &files.shadow);
	if (r == 0)
		r = store(root, "passwd", &files.passwd);
	buffer_release(&files.passwd);
	buffer_release(&files.group);
	buffer_release(&files.shadow);
	return r < 0 ? sentence(ret_error, r, "the users' accounts can't be made: %s", strerror(-r)) : 0;
}
