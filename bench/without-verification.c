/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands for signing/ when the provisioner is linked once without it, to see how much it adds. Never run. */
#include <errno.h>
#include <stddef.h>

#include "signing/client.h"
#include "signing/verified.h"

int tuf_client_open(const struct tuf_store *store, const struct tuf_fetch *fetch, const void *root, size_t root_size, int64_t now,
		    struct tuf_client **ret_client)
{
	(void)store, (void)fetch, (void)root, (void)root_size, (void)now, (void)ret_client;
	return -ENOSYS;
}

void tuf_client_close(struct tuf_client *client)
{
	(void)client;
}

int tuf_client_refresh(struct tuf_client *client)
{
	(void)client;
	return -ENOSYS;
}

int tuf_client_target(struct tuf_client *client, const char *path, struct verified_target **ret_target)
{
	(void)client, (void)path, (void)ret_target;
	return -ENOSYS;
}

const char *tuf_client_error(const struct tuf_client *client)
{
	(void)client;
	return "";
}

uint64_t tuf_client_version(const struct tuf_client *client, const char *role)
{
	(void)client, (void)role;
	return 0;
}

void verified_target_free(struct verified_target *target)
{
	(void)target;
}

int verified_image_of(const struct verified_target *target, struct verified_image **ret_image, char ret_error[160])
{
	(void)target, (void)ret_image, (void)ret_error;
	return -ENOSYS;
}

const struct image_description *verified_image_description(const struct verified_image *image)
{
	(void)image;
	return NULL;
}

const char *verified_image_path(const struct verified_image *image)
{
	(void)image;
	return "";
}

const uint8_t *verified_image_wire_sha256(const struct verified_image *image)
{
	(void)image;
	return NULL;
}

void verified_image_free(struct verified_image *image)
{
	(void)image;
}
