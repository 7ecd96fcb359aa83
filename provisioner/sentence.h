/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors as a sentence for the operator: which thing, what is wrong with it, what to do next. */
#ifndef PROVISIONER_SENTENCE_H
#define PROVISIONER_SENTENCE_H

#define SENTENCE 384

/* Formats into `ret_text` (cut to fit) and returns `error`, so that a caller can write
 * `return sentence(error, -ENOSPC, "disk %s …", name);`. */
int sentence(char ret_text[SENTENCE], int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
