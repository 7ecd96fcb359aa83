/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C: and D: at rest: where the server's group says `encryption`, all four slots are ciphertexts (dmcrypt.h), and dm-verity reads through that.
 *
 * The control unit's key comes with each boot's answer and is nowhere on the disk. Each slot has a key of its own, made of that one: equal blocks of
 * two slots don't look equal. STATE says by which key the slots were made so (a digest tells keys apart, and says nothing of them). Where it doesn't
 * say so, or a slot begins like an image in the clear, nothing in the slots counts: their records go first, then both slots of C: and of D: and the EFI
 * system partition, where a start by reset may have left a kernel, are discarded, overwritten with zeros and, in samples, looked at; then STATE gets the
 * new record, and only then a first byte is installed. After a power cut before that record all of it is done again. */
#ifndef PROVISIONER_REST_H
#define PROVISIONER_REST_H

#include <stdbool.h>
#include <stdint.h>

#include "provisioner/blockdev.h"
#include "provisioner/dmcrypt.h"
#include "provisioner/gpt.h"

#define REST_SECTOR 4096u /* encrypted at a time: a block of dm-verity, and of the installer */
#define REST_CHECK (2 * HOME_CHECK_SIZE)

/* Pure. The key of the slot "C0" out of the control unit's. 0 or -EINVAL. */
int rest_slot_key(const uint8_t key[DMCRYPT_KEY_SIZE], const char *slot, uint8_t ret_key[DMCRYPT_KEY_SIZE]);
/* Pure. What stands in STATE for the key. */
void rest_check(const uint8_t key[DMCRYPT_KEY_SIZE], char ret_check[REST_CHECK + 1]);
/* Pure. Whether the first bytes of a slot are those of an image in the clear. */
bool rest_is_plain(const uint8_t *head, size_t size);

struct provision;
struct buffer;

/* Before the disk is changed: a disk of ours that is to be a ciphertext isn't touched without the key; where it may get another partition table, what its
 * slots hold in the clear goes first. 0; -ENOKEY and others with a sentence in p->error: nothing is to be started then. */
int rest_begin(struct provision *p);
/* After STATE was read from the prepared disk: makes the slots what the assignment says, and says so in p->rest. 0; -ENOKEY; -EROFS when the disk
 * can't be changed; or -errno; with a sentence. */
int rest_settle(struct provision *p);
/* No control unit: -ENOKEY with a sentence where the slots are ciphertexts. */
int rest_without_key(struct provision *p);
/* In place of disk_open_part for a slot of C: or D:. */
int rest_open_part(struct provision *p, enum part part, int *ret_fd, uint64_t *ret_size, char ret_path[BLOCKDEV_NAME + 8]);
/* Adds the keys of the slots in c and d to what stage 2 gets. 0 or -errno. */
int rest_hand_over(const struct provision *p, struct buffer *archive);
/* Closes what rest_open_part opened. */
void rest_close(struct provision *p);

#endif
