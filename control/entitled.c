// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/entitled.h"

#include <string.h>

#define TARGETS "targets/"

bool entitled_target(const char *target, char *ret_image)
{
	const char *file = strrchr(target, '/');
	size_t length = file ? (size_t)(file - target) : 0;

	if (!length || length > TARGET_PATH_MOST)
		return false;
	memcpy(ret_image, target, length);
	ret_image[length] = 0;
	return true;
}

bool entitled_image(const char *path, char *ret_image)
{
	return !strncmp(path, TARGETS, strlen(TARGETS)) && entitled_target(path + strlen(TARGETS), ret_image);
}

size_t entitled_list(const struct node *node, char ret_images[ENTITLED_MOST][TARGET_PATH_MOST + 1])
{
	/* What was assigned meanwhile, and what the boot that is under way was told. */
	const char *targets[ENTITLED_MOST] = { node->assignment.os_target, node->assignment.app_target,
					       node->booted_once ? node->boot.os_target : "", node->booted_once ? node->boot.app_target : "" };
	size_t count = 0;

	for (size_t i = 0; i < ENTITLED_MOST; i++)
		if (entitled_target(targets[i], ret_images[count]))
			count++;
	return count;
}

bool entitled_to(const struct node *node, const char *image)
{
	char images[ENTITLED_MOST][TARGET_PATH_MOST + 1];
	size_t count = entitled_list(node, images);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(images[i], image))
			return true;
	return false;
}
