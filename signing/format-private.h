/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files behind signing/format.h share. */
#ifndef SIGNING_FORMAT_PRIVATE_H
#define SIGNING_FORMAT_PRIVATE_H

#include "signing/format.h"

/* Writes the sentence (TUF_ERROR_SIZE bytes) and returns -EBADMSG. */
int tuf_bad(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool tuf_is_top_level(const char *role);

/* Checks the form of a whole document of document->type and sets body, signatures, version and expires. 0, -EBADMSG with a
 * sentence, or -ENOMEM. */
int tuf_check_form(struct tree whole, struct tuf_document *document, char *ret_error);

#endif
