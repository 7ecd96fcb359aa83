/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Partitions as ciphertexts: dm-crypt in plain mode (Documentation/admin-guide/device-mapper/dm-crypt.rst of Linux), aes-xts-plain64 with a key of
 * 512 bits that comes from the control unit and is nowhere on the disk. Around that of H: lies common/home-disk.h's mark; those of C: and D: are
 * provisioner/rest.h's. */
#ifndef PROVISIONER_DMCRYPT_H
#define PROVISIONER_DMCRYPT_H

#include <stdbool.h>
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

/* Opens `size` bytes of the block device `device` as /dev/mapper/`name`; the size is a multiple of `sector`, the bytes that are encrypted at a time.
 * 0 or -errno (-EINVAL too: this kernel has no dm-crypt). */
int dmcrypt_map(const char *name, bool read_only, const char *device, uint32_t sector, uint64_t size, const uint8_t key[DMCRYPT_KEY_SIZE]);

#endif
