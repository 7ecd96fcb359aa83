/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What UEFI signs and measures of a program: the Authenticode digest of a PE file. Pure: bytes in, digest out.
 *
 *   DOS header        "MZ" … offset of the PE header at 0x3C
 *   PE header         "PE\0\0", machine, sections, …, size of the optional header
 *   optional header   magic 0x20B (PE32+) … size of the headers at 60, check sum at 64 (not hashed), subsystem at 68,
 *                     data directories from 112 on; number 4 names the signatures (its entry isn't hashed)
 *   section table     40 bytes each: size in the file at 16, place in the file at 20
 *   sections, in the order of their places in the file; then what follows them
 *   signatures        at the end: WIN_CERTIFICATE each: length, revision 0x0200, type 2 (PKCS#7), data; 8-byte aligned
 */
#ifndef SIGNING_AUTHENTICODE_H
#define SIGNING_AUTHENTICODE_H

#include <stddef.h>
#include <stdint.h>

#include "signing/sha256.h"

#define PE_SECTIONS_MOST 96u

/* The SHA-256 digest of a program without its signatures: the same before and after signing, once the file's size is a multiple of 8.
 * 0, or -EBADMSG when `data` is no 64-bit PE file with sane headers. */
int authenticode_digest(const uint8_t *data, size_t size, uint8_t ret_digest[SHA256_SIZE]);

/* How many signatures it carries. 0 or -EBADMSG, also when the table of signatures isn't as it should be. */
int authenticode_signatures(const uint8_t *data, size_t size, unsigned *ret_count);

/* Who is to start it. Firmware starts nothing but its own kinds, of which a kernel is PE_EFI_APPLICATION; kexec doesn't look. So a
 * signed kernel of another kind is one that kexec takes and firmware doesn't, with whatever initrd and command line an attacker has. */
#define PE_EFI_APPLICATION 10u
#define PE_CONSOLE 3u
/* Writes it. 0 or -EBADMSG. */
int pe_set_subsystem(uint8_t *data, size_t size, uint16_t subsystem);

#endif
