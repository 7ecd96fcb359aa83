/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C: and D: of a server without a disk: files in RAM, which stage 2 finds in its initrd as /repave/c.img and /repave/d.img. */
#ifndef PROVISIONER_RAM_H
#define PROVISIONER_RAM_H

#include <stdint.h>

#include "common/bytes.h"
#include "provisioner/gpt.h"
#include "provisioner/sentence.h"

/* What stands on the kernel command line in place of a partition's GUID. */
#define RAM_PARTUUID "ram"

/* Pure. Bytes of memory that a boot of images of `images` bytes takes at its peak: the images in stage 1, the kernel's copy while
 * kexec loads them, and the copy that the next kernel finds; the next kernel's own peak is lower. */
uint64_t ram_needed(uint64_t images);
/* Pure. Bytes of "MemAvailable" in the text of /proc/meminfo, or 0. */
uint64_t ram_available(const char *meminfo);

/* Makes empty slots of `c_size` and `d_size` bytes (0: none), if `ram_needed` is there. `why` begins the sentence. 0; -ENOMEM with
 * the figures; or -errno. */
int ram_prepare(uint64_t c_size, uint64_t d_size, const char *why, char ret_error[SENTENCE]);
/* Whether kexec_file_load can take a kernel and an initrd of together `bytes`, which are in memory: it makes two copies of them, and
 * what it can't get it takes by the OOM killer. 0; -ENOMEM with the figures; or -errno. */
int ram_check_jump(uint64_t bytes, char ret_error[SENTENCE]);
/* Opens a slot; the second of each group is empty. 0 or -errno with a sentence. */
int ram_open(enum part part, int *ret_fd, uint64_t *ret_size, char *ret_path, size_t room, char ret_error[SENTENCE]);

/* Shows a file as a block device, read-only. 0 or -errno. */
int loop_attach(const char *file, char ret_device[32]);
void loop_detach(const char *device);

/* Moves the content of `from` to `to` at `offset`: what has arrived is given back to the system at once, so that it is never there
 * twice. 0 or -errno. */
int ram_move(int from, uint64_t size, int to, uint64_t offset);

#endif
