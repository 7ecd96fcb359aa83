/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where passphrases come from: the terminal, or a file. Never the command line or the environment, where others see them. */
#ifndef SIGNING_PASSPHRASE_H
#define SIGNING_PASSPHRASE_H

#include <stdbool.h>

#define PASSPHRASE_LEAST 8
#define PASSPHRASE_MOST 1024

struct passphrases {
	const char *file;     /* its first line is the passphrase; NULL: ask */
	bool never;           /* a daemon: neither ask nor read */
	char *last;           /* what fitted last; owned, wiped */
};

/* A file's passphrase or, when there is no file, what is typed at the terminal without echo. The result lasts until the next
 * call. Says on stderr what is wrong: 0; -EACCES (others may read the file); -ENXIO (no terminal); -ECANCELED; or -errno. */
int passphrase_get(struct passphrases *passphrases, const char *what, const char **ret_passphrase);

/* One for new keys: asked for twice, PASSPHRASE_LEAST characters at least. As above, and -EINVAL. */
int passphrase_get_new(struct passphrases *passphrases, const char *what, const char **ret_passphrase);

/* What passphrase_get gave last, or NULL: several keys often have the same. */
const char *passphrase_last(const struct passphrases *passphrases);

void passphrases_release(struct passphrases *passphrases);

#endif
