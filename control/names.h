/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What names look like: node ids, host names, image names and versions. Pure. */
#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_ID_SIZE 36u      /* characters of a DMI UUID */
#define NONCE_SIZE 32u        /* hexadecimal digits */
#define HOST_NAME_MOST 63u
#define MONITOR_NAME_MOST 32u
#define IMAGE_NAME_MOST 64u
#define IMAGE_VERSION_MOST 64u
#define IMAGE_SPEC_MOST (IMAGE_NAME_MOST + 1 + IMAGE_VERSION_MOST)
#define ERROR_TEXT 400u       /* room for a sentence to the operator, NUL included */

/* Writes the sentence to the operator. Always -EINVAL, so that a parser can return it. */
int refused(char ret_error[ERROR_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A UUID in lower case, 8-4-4-4-12. */
bool node_id_valid(const char *text);
/* Exactly NONCE_SIZE lower-case hexadecimal digits. */
bool nonce_valid(const char *text);
/* One label: letters, digits and inner hyphens, lower case. Not something that looks like a node id. */
bool host_name_valid(const char *text);
/* Of a repave-monitor: letters, digits and inner hyphens, lower case; not "none", which is the word for being without one. */
bool monitor_name_valid(const char *text);
/* Name of a configuration file of the application: [A-Za-z0-9._-]{1,64}, no leading dot. */
bool config_file_name_valid(const char *text);
/* Only `allowed` characters, 1 to `most` of them. */
bool text_of(const char *text, const char *allowed, size_t most);
/* No control characters: fit for a terminal and for a log line. */
bool text_printable(const char *text, size_t size);
/* Copies text with control characters replaced, cut at `most` bytes but never inside a UTF-8 sequence: firmware and error messages may
 * hold anything, and a terminal or log must not obey them. */
void text_copy_printable(const char *text, size_t most, char *ret_text);

/* A role's name as people may see it: cut, and "?" for what isn't printable. */
#define ROLE_NAME_SHOWN 80u
void role_name_show(const char *name, char ret_name[ROLE_NAME_SHOWN + 1]);

#define DURATION_DAYS_MOST 3650
/* "7d", "12h", "30m" or "45s", up to 3650 days. 0, or -EINVAL with a sentence in `ret_error`. */
int duration_parse(const char *text, int64_t *ret_seconds, char ret_error[ERROR_TEXT]);

/* An image as an operator writes it: "debian" or "debian@12.1". */
struct image_spec {
	char name[IMAGE_NAME_MOST + 1];
	char version[IMAGE_VERSION_MOST + 1]; /* "": the newest */
};

/* 0 or -EINVAL. */
int image_spec_parse(const char *text, struct image_spec *ret_spec);

/* Orders versions as dpkg does ("1.22.1-9+deb12u1" < "1.22.1-9+deb12u2", "1.0~rc1" < "1.0"); versions of images have no
 * epoch. <0, 0, >0. */
int version_compare(const char *a, const char *b);

#endif
