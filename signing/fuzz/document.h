/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIGNING_FUZZ_DOCUMENT_H
#define SIGNING_FUZZ_DOCUMENT_H

#include "signing/format.h"

/* Parses the input as metadata of that type and does with it whatever a client might do. */
int fuzz_document(enum tuf_type type, const uint8_t *data, size_t size);

#endif
