/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys that UEFI Secure Boot knows: PK (the platform's owner), KEK (who may change db) and db (what may run).
 *
 *   NAME.key    RSA 2048, PEM, mode 0600: the size that every firmware takes
 *   NAME.crt    self-signed certificate, PEM;  NAME.cer the same in DER, for the menus of firmware
 *   NAME.esl    EFI signature list;  NAME.auth the same signed, for efi-updatevar and the firmware's set-up mode
 *   GUID        the owner that stands in the lists */
#ifndef SIGNING_SECUREBOOT_H
#define SIGNING_SECUREBOOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* Makes a key and its certificate for `name` ("PK") and `owner` as files in `folder`. 0 or -errno; what failed is logged. */
int secureboot_make_pair(const char *folder, const char *name, const char *owner);

/* Appends the base64 of the RSA PKCS#1 v1.5 SHA-256 signature of `data` by the secret key in the file `key`. 0 or -errno, logged. */
int secureboot_sign_bytes(const char *key, const void *data, size_t size, struct buffer *ret_text);

/* Whether `text` is such a signature by the owner of the certificate in the file `certificate`. 0; -EBADMSG when it isn't, or another
 * -errno; what failed is logged. */
int secureboot_check_bytes(const char *certificate, const void *data, size_t size, const char *text);

#endif
