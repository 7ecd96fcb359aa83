/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variables of UEFI firmware, by the kernel's efivarfs: a file NAME-GUID each, four bytes of attributes and the content. */
#ifndef PROVISIONER_EFIVAR_H
#define PROVISIONER_EFIVAR_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* EFI_GLOBAL_VARIABLE: BootNext, BootCurrent, Boot0000 … */
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
/* Repave's own. */
#define EFI_REPAVE "5e70a7e0-0010-4b1d-8a5e-7265706176e0"
/* What stage 2 needs to open a sealed configuration, from the reset until then. */
#define EFI_KEY "RepaveKey"
#define EFIVAR_MOST 65536u

/* Mounts efivarfs where it isn't yet. 0; -ENOENT: no UEFI, or a kernel without it; or -errno. */
int efivar_open(void);
/* Appends the content. 0, -ENOENT, or -errno. */
int efivar_load(const char *name, const char *guid, struct buffer *ret_data);
/* Writes a variable that stays over a reset, in place of one that is there. 0 or -errno. */
int efivar_store(const char *name, const char *guid, const void *data, size_t size);
/* 0, also when there is none; or -errno. */
int efivar_delete(const char *name, const char *guid);

/* The boot entry with this description, or else the first number that is free. 0 or -errno; `ret_found` tells which. */
int efivar_boot_entry(const char *description, uint16_t *ret_number, bool *ret_found);
/* "Boot0012" */
void efivar_boot_name(uint16_t number, char ret_name[9]);

#endif
