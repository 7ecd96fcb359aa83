/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole client between a repository and a store that an attacker owns, who has every file that was ever signed but no key.
 * The input is his play: for each file that is asked for, what he gives instead. Nothing that wasn't signed, and nothing
 * that its signer may not sign for, is ever found; and as long as the store is left alone, no version ever falls.
 *
 * Input: byte 0: bit 0 lets him at the store too. Then moves, one for each file asked for (none left: the right file):
 *   0: right file   1 N: N-th of all files   2 AT AT XOR: right file, one byte changed   3 AT AT N bytes…: right file, N bytes
 *   put in   4 N bytes…: just these   5: nothing   6: the network fails   7 AT AT: right file, cut */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signing/test/forge.h"
#include "signing/verified.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = { FORGE_TARGET, "app/shop/debian/1.img.zst", "app/shop/debian/2.img.zst",
				     "app/blog/debian/1.img.zst", "app/blog/debian/9.img.zst", "app/shop/x/y" };

static struct forge forge; /* what honest people signed */

struct play {
	const uint8_t *data, *end;
	bool owns_store;
};

static struct play play;

/* ------------------------------------------------------------------ what was signed */

static void sign_everything(void)
{
	struct signing_keys none = { 0 };

	forge_init(&forge);
	json_object_clear(forge.targets);
	forge_target(&forge, "targets", FORGE_TARGET, 1);
	forge_delegate(&forge, "targets", "acme", "app/shop/*/*", 101, 2, 2);
	forge_delegate(&forge, "targets", "zebra", "app/blog/*/*", 103, 1, 1);
	forge_delegate(&forge, "acme", "inner", "app/*/x/*", 104, 1, 1);
	forge_target(&forge, "acme", "app/shop/debian/1.img.zst", 2);
	forge_target(&forge, "acme", "app/blog/debian/9.img.zst", 666); /* not acme's */
	forge_target(&forge, "zebra", "app/blog/debian/1.img.zst", 3);
	forge_target(&forge, "zebra", "app/shop/debian/2.img.zst", 666); /* not zebra's */
	forge_target(&forge, "inner", "app/shop/x/y", 4);
	forge_publish(&forge);
	forge_publish_next(&forge);
	forge_target(&forge, "acme", "app/shop/debian/2.img.zst", 5);
	forge_publish_next(&forge);
	forge_put_next_root(&forge, &none);
}

static void check_target(const struct verified_target *target)
{
	static const uint64_t lengths[] = { 1, 2, 5, 3, 0, 4 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (strcmp(verified_target_path(target), paths[i]) == 0 && verified_target_length(target) == lengths[i] &&
		    lengths[i] > 0 && verified_target_sha256(target)[31] == lengths[i])
			return;
	abort();
}

static int each(void *context, const struct verified_target *target)
{
	(void)context;
	check_target(target);
	return 0;
}

/* ------------------------------------------------------------------ the play */

static unsigned take(void)
{
	return play.data < play.end ? *play.data++ : 0;
}

static int add_moved(const struct buffer *right, unsigned move, struct buffer *ret_data)
{
	size_t at = take() << 8, n;
	int r;

	at = (at | take()) % (right->size + 1);
	r = buffer_add(ret_data, right->data, move == 2 ? right->size : at);
	if (move == 2 && right->size > 0) {
		ret_data->data[at % right->size] ^= (uint8_t)take();
	} else if (move == 3) {
		n = take();
		if (n > (size_t)(play.end - play.data))
			n = (size_t)(play.end - play.data);
		r = buffer_add(ret_data, play.data, n);
		play.data += n;
		if (r == 0)
			r = buffer_add(ret_data, right->data + at, right->size - at);
	}
	return r;
}

/* `right` may be NULL: there is no such file. */
static int answer(const struct buffer *right, struct buffer *ret_data)
{
	unsigned move = take() % 8;
	size_t n;

	switch (move) {
	case 1:
		right = &forge.files[take() % forge.count].data;
		break;
	case 4:
		n = take();
		if (n > (size_t)(play.end - play.data))
			n = (size_t)(play.end - play.data);
		play.data += n;
		return buffer_add(ret_data, play.data - n, n);
	case 5:
		return -ENOENT;
	case 6:
		return -ECONNREFUSED;
	}
	if (!right || !right->data)
		return -ENOENT;
	return move < 2 ? buffer_add(ret_data, right->data, right->size) : add_moved(right, move, ret_data);
}

static int fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	int r = answer(forge_file(&forge, name), ret_data);

	(void)context;
	return r == 0 && ret_data->size > most && (most & 1) ? -EFBIG : r;
}

static int store(void *context, const char *role, const void *data, size_t size)
{
	struct buffer *stored = forge_stored(&forge, role);

	(void)context;
	buffer_release(stored);
	return buffer_add(stored, data, size);
}

static int load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct buffer *stored = forge_stored(&forge, role);
	int r;

	(void)context;
	if (play.owns_store)
		r = answer(stored, ret_data);
	else
		r = stored->data ? buffer_add(ret_data, stored->data, stored->size) : -ENOENT;
	return r == 0 && ret_data->size > most ? -EFBIG : r;
}

static int forget(void *context, const char *role)
{
	(void)context;
	buffer_release(forge_stored(&forge, role));
	return 0;
}

/* Few enough roots that a name is free for each. */
static const char *link_name(uint64_t version, char ret_name[32])
{
	snprintf(ret_name, 32, "link to root %u", (unsigned)version);
	return ret_name;
}

static int load_root(void *context, uint64_t version, size_t most, struct buffer *ret_data)
{
	char name[32];

	return load(context, link_name(version, name), most, ret_data);
}

static int store_root(void *context, uint64_t version, const void *data, size_t size)
{
	char name[32];

	return store(context, link_name(version, name), data, size);
}

static int keep_roots(void *context, uint64_t first, uint64_t last)
{
	char name[32];

	for (uint64_t version = 1; version <= 3; version++)
		if (version < first || version > last)
			forget(context, link_name(version, name));
	return 0;
}

static void run_client(uint64_t versions[4])
{
	struct tuf_store callbacks = { .load = load, .store = store, .remove = forget, .load_root = load_root,
				       .store_root = store_root, .keep_roots = keep_roots };
	struct tuf_fetch fetch_by = { fetch, NULL };
	struct tuf_client *client;

	if (tuf_client_open(&callbacks, &fetch_by, forge.first_root.data, forge.first_root.size, FORGE_NOW, &client) < 0)
		return;
	if (tuf_client_refresh(client) == 0) {
		for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
			struct verified_target *target;

			if (tuf_client_target(client, paths[i], &target) == 0)
				check_target(target);
			verified_target_free(target);
		}
		(void)!tuf_client_each_target(client, each, NULL);
		for (enum tuf_type type = TUF_ROOT; type <= TUF_TARGETS; type++) {
			uint64_t version = tuf_client_version(client, tuf_type_name(type));

			if (version == 0 || version > 3 || (!play.owns_store && version < versions[type]))
				abort();
			versions[type] = version;
		}
	}
	tuf_client_close(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t versions[4] = { 0 };

	if (forge.count == 0)
		sign_everything();
	play = (struct play){ .data = data, .end = data + size };
	play.owns_store = take() & 1;
	for (unsigned run = 0; run < 3 && (run == 0 || play.data < play.end); run++)
		run_client(versions);
	forge_forget_stored(&forge);
	return 0;
}
