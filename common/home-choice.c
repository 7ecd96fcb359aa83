/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/home-choice.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define OWN_FOLDER "/{node}"
#define APP_PATH_MOST 255u

static bool only_of(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

/* Absolute, of plain names; "/" alone is one too. */
static bool plain_path(const char *path)
{
	if (path[0] != '/' || !only_of(path, LETTERS DIGITS "/._+-@~"))
		return false;
	while (path[0] == '/' && path[1] != '\0') {
		size_t size = strcspn(++path, "/");

		if (size == 0 || (size <= 2 && strspn(path, ".") >= size))
			return false;
		path += size;
		if (path[0] == '/' && path[1] == '\0')
			return false;
	}
	return true;
}

/* Copies `size` bytes of `text`. */
static int copy(const char *text, size_t size, char *ret_text, size_t most)
{
	if (size < 1 || size > most)
		return -EINVAL;
	memcpy(ret_text, text, size);
	ret_text[size] = '\0';
	return 0;
}

/* Returns what comes behind the server's colon, or NULL. */
static const char *take_server(const char *text, char server[HOME_SERVER_MOST + 1])
{
	const char *end;

	if (text[0] == '[') {
		end = strchr(++text, ']');
		return end != NULL && end[1] == ':' && copy(text, (size_t)(end - text), server, HOME_SERVER_MOST) == 0 &&
				       only_of(server, DIGITS "abcdefABCDEF:.") ? end + 2 : NULL;
	}
	end = strchr(text, ':');
	return end != NULL && text[0] != '-' && text[0] != '.' && copy(text, (size_t)(end - text), server, HOME_SERVER_MOST) == 0 &&
			       only_of(server, LETTERS DIGITS ".-") ? end + 1 : NULL;
}

static int take_nfs(const char *text, struct home_choice *choice)
{
	const size_t suffix = strlen(OWN_FOLDER);
	const char *path = take_server(text, choice->server);
	size_t size = path != NULL ? strlen(path) : 0;

	if (path == NULL)
		return -EINVAL;
	choice->kind = HOME_NFS;
	choice->own_folder = size >= suffix && strcmp(path + size - suffix, OWN_FOLDER) == 0;
	if (choice->own_folder)
		size -= suffix;
	/* "/{node}" alone: a folder in the server's root. */
	if (choice->own_folder && size == 0)
		strcpy(choice->path, "/");
	else if (copy(path, size, choice->path, HOME_PATH_MOST) < 0)
		return -EINVAL;
	return plain_path(choice->path) ? 0 : -EINVAL;
}

int home_choice_parse(const char *text, struct home_choice *ret_choice)
{
	static const char *const words[] = { [HOME_AUTO] = "auto", [HOME_LOCAL] = "local", [HOME_NONE] = "none" };
	int r = -EINVAL;

	*ret_choice = (struct home_choice){ 0 };
	if (strlen(text) > HOME_CHOICE_MOST)
		return -EINVAL;
	if (strncmp(text, "nfs:", 4) == 0)
		r = take_nfs(text + 4, ret_choice);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			ret_choice->kind = (enum home_kind)i;
			r = 0;
		}
	if (r < 0)
		*ret_choice = (struct home_choice){ 0 };
	return r;
}

bool home_path_ok(const char *path)
{
	static const char *const above[] = { "/var/lib/", "/srv/", "/home/" };

	if (strlen(path) > APP_PATH_MOST || !plain_path(path))
		return false;
	for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++)
		if (strncmp(path, above[i], strlen(above[i])) == 0)
			return true;
	return false;
}
