/* SPDX-License-Identifier: GPL-2.0-or-later */
/* squash: packs a folder as a squashfs whose files lie uncompressed on whole blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "images/squash.h"

int main(int argc, char **argv)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t time;

	log_program("squash");
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("Usage: squash TREE OUT      (environment: SOURCE_DATE_EPOCH, the time stamp of every file)\n"
		     "Packs the folder TREE as a squashfs: data uncompressed, each file alone on whole blocks of 4096 bytes.");
		return 0;
	}
	if (argc != 3) {
		log_error(0, "give a folder and a file; see squash --help");
		return 2;
	}
	if (!epoch || parse_u64(epoch, &time) < 0 || time > UINT32_MAX) {
		log_error(0, "SOURCE_DATE_EPOCH must be seconds since 1970: run it from make, which sets it");
		return 2;
	}
	return squash_tree(argv[1], argv[2], (uint32_t)time) < 0 ? 1 : 0;
}
