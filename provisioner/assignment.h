/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control unit's answer to a boot (docs/protocol.md), parsed with no I/O. */
#ifndef PROVISIONER_ASSIGNMENT_H
#define PROVISIONER_ASSIGNMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSIGNMENT_SIZE_MOST (1u << 20)
#define CONFIG_FILES_MOST 64u
#define CONFIG_BYTES_MOST (256u << 10)
#define SSH_KEYS_MOST 64u
#define SSH_KEY_MOST 8192u
#define MIRRORS_MOST 15u
#define WAIT_MOST 3600u
#define SANITIZE_ORDER 32u /* lower-case hexadecimal digits */
#define DISK_KEY_SIZE 64u
#define TARGET_MOST 255u /* characters of a target path */

struct assignment {
	json_t *json;       /* owns all strings below */
	bool wait;          /* nothing assigned yet: ask again in `wait_seconds`, because of `reason` */
	unsigned wait_seconds;
	const char *reason;
	/* With `wait`: this server must be cleared first (sanitize.c), by the order of that name, "" for none; `cleared`: all that is left is a reset. */
	char sanitize[SANITIZE_ORDER + 1];
	bool cleared;
	uint64_t number;
	const char *os_target;
	const char *app_target; /* NULL: none */
	uint64_t starts_seen;   /* how many starts of it the control unit knows of; UINT64_MAX: it doesn't say */
	bool wipe;
	bool reset;             /* start by a reset and the firmware, not by kexec */
	bool lazy;              /* leave the data of a complete slot to dm-verity */
	const char *h;          /* where H: comes from, as home-choice.h */
	bool h_encryption;      /* the server's own partition must be a ciphertext … */
	const char *h_key;      /* … of this key: base64 of 64 bytes; NULL: none was given */
	const char *h_closed;   /* why H: isn't to be opened; NULL: nothing is against it */
	bool encryption;        /* C: and D: must be ciphertexts … */
	const char *disk_key;   /* … of keys made of this one (rest.h): base64 of 64 bytes; NULL: none was given */
	const char *disk_closed; /* why; NULL: nobody says */
	json_t *mirrors;        /* array of sound bases besides the control unit's own repository, or NULL */
	const char *hostname;   /* NULL: none given */
	json_t *ssh_keys;       /* array of one-line strings, or NULL */
	json_t *users;          /* array that user_list_check accepts, or NULL */
	json_t *files;          /* object of sound names to text, or NULL */
};

/* `nonce` is what was sent: an answer to another question is refused. 0; -EINVAL with a sentence in `ret_error`;
 * -ENOMEM. The caller calls assignment_release. */
int assignment_parse(const void *text, size_t size, const char *nonce, struct assignment *ret_assignment,
		     char ret_error[160]);
void assignment_release(struct assignment *assignment);

/* [A-Za-z0-9._-]{1,64} without a leading dot. */
bool config_file_name_ok(const char *name);
/* RFC 1123: labels of letters, digits and inner dashes, 253 characters at most. */
bool hostname_ok(const char *name);

#endif
