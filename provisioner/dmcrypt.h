/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The partition H as a ciphertext: dm-crypt in plain mode (Documentation/admin-guide/device-mapper/dm-crypt.rst of Linux), aes-xts-plain64 with a
 * key of 512 bits that comes from the control unit and is nowhere on the disk. Around it lies common/home-disk.h's mark. */
#ifndef PROVISIONER_DMCRYPT_H
#define PROVISIONER_DMCRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/home-disk.h"
#include "provisioner/sentence.h"

#define DMCRYPT_KEY_SIZE 64u

/* Pure: what tells this key from another one, and says nothing of it. */
void dmcrypt_check(const uint8_t key[DMCRYPT_KEY_SIZE], uint8_t ret_check[HOME_CHECK_SIZE]);
/* Pure: the target's parameters; the key itself is in the kernel's keyring. `device` as "MAJOR:MINOR". 0 or -ENOSPC. */
int dmcrypt_table(const char *device, uint32_t sector, char *ret_text, size_t room);

/* Opens the partition `device` as /dev/mapper/`name`. A blank one becomes a ciphertext; one that holds anything else in the clear, or was encrypted
 * with another key, is left alone. 0; -EMEDIUMTYPE, -ENOKEY or -errno, with a sentence. */
int dmcrypt_open(const char *name, const char *device, const uint8_t key[DMCRYPT_KEY_SIZE], char ret_error[SENTENCE]);

#endif
