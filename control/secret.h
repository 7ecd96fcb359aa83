/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens: made, and known again by what can be stored of them. */
#ifndef CONTROL_SECRET_H
#define CONTROL_SECRET_H

#include <stddef.h>

#include "control/records.h"

/* A new token: 256 random bits. The caller wipes it. 0 or -errno; logs the cause. */
int secret_make(char ret_token[TOKEN_SIZE + 1]);
/* A new id, which may be shown. The same errors. */
int secret_make_id(char ret_id[TOKEN_ID_SIZE + 1]);

/* SHA-256 as text. Of 256 random bits it needs no salt, and a look-up by it tells nothing by its time. 0 or -EIO. */
int digest_text(const void *data, size_t size, char ret_text[DIGEST_TEXT + 1]);

#endif
