/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "signing/verified.h"
#include "signing/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_description d;
	struct verity_layout layout;
	uint8_t superblock[512];
	char error[160], path[IMAGE_PATH_SIZE];
	json_t *json = json_parse(data, size, error);

	if (json && image_description_parse(json, &d, error) == 0) {
		image_target_path(&d, path);
		if (strstr(path, "..") && (strstr(path, "/../") || strncmp(path, "../", 3) == 0))
			abort();
		if (verity_layout_init(&layout, d.data_blocks) < 0 || layout.image_blocks * VERITY_BLOCK != d.image_size)
			abort();
		if ((uint64_t)d.frames * d.frame_size < d.image_size ||
		    (uint64_t)(d.frames - 1) * d.frame_size >= d.image_size)
			abort();
		verity_superblock_format(d.data_blocks, d.uuid, d.salt, d.salt_size, superblock);
	}
	json_decref(json);
	return 0;
}
