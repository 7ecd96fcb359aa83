// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/gate.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/entitled.h"
#include "control/foreign.h"

#define LIST_MILLISECONDS 1000

/* What a server's address may have. */
struct permit {
	char address[ADDRESS_MOST + 1];
	bool runs;                        /* its system: then it gets nothing */
	size_t count;
	uint64_t images[ENTITLED_MOST];   /* keyed hashes of names: nobody finds two that are equal */
};

struct gate {
	struct control *control;
	uint8_t key[crypto_shorthash_KEYBYTES];
	pthread_mutex_t lock; /* of the list; never held while the control's is waited for */
	struct permit *list;  /* of all servers, sorted by address; a second old at most */
	size_t count;
	int64_t listed_ms;
};

int gate_new(struct control *control, struct gate **ret_gate)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (!gate)
		return -ENOMEM;
	if (sodium_init() < 0) {
		free(gate);
		return -EIO;
	}
	crypto_shorthash_keygen(gate->key);
	gate->control = control;
	gate->listed_ms = INT64_MIN;
	pthread_mutex_init(&gate->lock, NULL);
	*ret_gate = gate;
	return 0;
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	pthread_mutex_destroy(&gate->lock);
	free(gate->list);
	free(gate);
}

/* Of this computer's own programs, and of servers behind its own port forwarding, the address says nothing. */
static bool is_loopback(const char *address)
{
	return !strncmp(address, "127.", 4) || !strcmp(address, "::1") || !strncmp(address, "::ffff:127.", 11) || !strcmp(address, "local");
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct permit *)a)->address, ((const struct permit *)b)->address);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t hash_of(const struct gate *gate, const char *image)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	crypto_shorthash(bytes, (const uint8_t *)image, strlen(image), gate->key);
	memcpy(&hash, bytes, sizeof hash);
	return hash;
}

static void fill(const struct gate *gate, const struct node *node, struct permit *permit)
{
	char images[ENTITLED_MOST][TARGET_PATH_MOST + 1];

	memcpy(permit->address, node->address, sizeof permit->address);
	permit->runs = node_runs(node);
	permit->count = permit->runs ? 0 : entitled_list(node, images);
	for (size_t i = 0; i < permit->count; i++)
		permit->images[i] = hash_of(gate, images[i]);
}

/* Thousands of servers fetch at once: only who may have no right to it is looked at under the control's lock. */
static void renew_list(struct gate *gate, int64_t now)
{
	const struct fleet *fleet = gate->control->fleet;
	struct permit *list, *old;
	size_t nodes;

	control_lock(gate->control);
	nodes = fleet_count(fleet);
	list = calloc(nodes + 1, sizeof *list);
	for (size_t i = 0; list && i < nodes; i++)
		fill(gate, fleet_node(fleet, i), &list[i]);
	control_leave(gate->control);
	/* Without memory the former list counts on. */
	if (!list)
		return;
	qsort(list, nodes, sizeof *list, by_address);
	pthread_mutex_lock(&gate->lock);
	old = gate->list;
	gate->list = list;
	gate->count = nodes;
	gate->listed_ms = now;
	pthread_mutex_unlock(&gate->lock);
	free(old);
}

static bool permits(const struct permit *permit, uint64_t image)
{
	for (size_t i = 0; i < permit->count; i++)
		if (permit->images[i] == image)
			return true;
	return false;
}

/* Whether it may be that nobody at this address has a right to the image: it is a server's address, and the list knows of none. */
static bool may_be_foreign(struct gate *gate, const char *address, const char *image)
{
	uint64_t wanted = hash_of(gate, image);
	struct permit key = { 0 };
	bool known = false, permitted = false;
	size_t first = 0, end;

	if (strlen(address) > ADDRESS_MOST)
		return false;
	strcpy(key.address, address);
	pthread_mutex_lock(&gate->lock);
	end = gate->count;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (by_address(&gate->list[middle], &key) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	for (size_t i = first; i < gate->count && !by_address(&gate->list[i], &key); i++) {
		known = true;
		permitted = permitted || permits(&gate->list[i], wanted);
	}
	pthread_mutex_unlock(&gate->lock);
	return known && !permitted;
}

static bool is_old(struct gate *gate, int64_t now)
{
	bool old;

	pthread_mutex_lock(&gate->lock);
	old = gate->listed_ms == INT64_MIN || now - gate->listed_ms >= LIST_MILLISECONDS;
	pthread_mutex_unlock(&gate->lock);
	return old;
}

/* As it is now. The first server of that address stands for all of them in the event. */
static bool refuse(struct control *control, const char *address, const char *image, char ret_why[ERROR_TEXT])
{
	struct node *first = NULL;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		struct node *node = fleet_at(control->fleet, i);

		if (strcmp(node->address, address))
			continue;
		if (!node_runs(node) && entitled_to(node, image))
			return false;
		first = first ? first : node;
	}
	if (!first)
		return false;
	if (node_runs(first))
		refused(ret_why, "a server that runs its operating system gets no images; its stage 1 does, and with `repave settings images=any` everybody");
	else
		refused(ret_why, "that image isn't assigned to this server; with `repave settings images=any` everybody gets each");
	foreign_note(control, first, time(NULL), "from %s %s asked for the image %.120s%s; refused", address,
		     node_runs(first) ? "its running system" : "its stage 1", image, entitled_to(first, image) ? "" : ", which isn't assigned to it");
	return true;
}

bool gate_refuses(struct gate *gate, const char *path, const char *address, char ret_why[ERROR_TEXT])
{
	char image[TARGET_PATH_MOST + 1];
	int64_t now = now_ms();
	bool refuses;

	/* Metadata are asked for before the control unit knows that the server starts anew; they hold no image. */
	if (is_loopback(address) || !entitled_image(path, image))
		return false;
	if (is_old(gate, now))
		renew_list(gate, now);
	if (!may_be_foreign(gate, address, image))
		return false;
	control_lock(gate->control);
	refuses = gate->control->settings.images == GATE_STAGE1 && refuse(gate->control, address, image, ret_why);
	control_leave(gate->control);
	return refuses;
}
