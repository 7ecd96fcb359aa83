// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The one heard of longest ago makes room: more addresses than this cost an attacker more than they cost us. */
#define SLOTS 4096u

struct slot {
	uint8_t address[16]; /* as IPv6 */
	int64_t begun;       /* of the time in which `wrong` were counted */
	unsigned wrong;      /* 0: free */
};

struct throttle {
	pthread_mutex_t lock;
	struct slot slots[SLOTS];
};

struct throttle *throttle_new(void)
{
	struct throttle *throttle = calloc(1, sizeof *throttle);

	if (throttle)
		pthread_mutex_init(&throttle->lock, NULL);
	return throttle;
}

void throttle_free(struct throttle *throttle)
{
	if (!throttle)
		return;
	pthread_mutex_destroy(&throttle->lock);
	free(throttle);
}

static void key_of(const char *address, uint8_t ret_key[16])
{
	memset(ret_key, 0, 16);
	if (inet_pton(AF_INET6, address, ret_key) == 1)
		memset(ret_key + 8, 0, 8);
	else if (inet_pton(AF_INET, address, ret_key + 12) == 1)
		ret_key[10] = ret_key[11] = 0xff;
}

/* The address's slot; with `make` one for it, else NULL when it has none. */
static struct slot *slot_of(struct throttle *throttle, const char *address, int64_t now, bool make)
{
	struct slot *oldest = &throttle->slots[0];
	uint8_t key[16];

	key_of(address, key);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &throttle->slots[i];

		if (slot->wrong && now - slot->begun >= THROTTLE_SECONDS)
			slot->wrong = 0;
		if (slot->wrong && !memcmp(slot->address, key, sizeof key))
			return slot;
		if (oldest->wrong && (!slot->wrong || slot->begun < oldest->begun))
			oldest = slot;
	}
	if (!make)
		return NULL;
	*oldest = (struct slot){ .begun = now };
	memcpy(oldest->address, key, sizeof key);
	return oldest;
}

unsigned throttle_wait(struct throttle *throttle, const char *address, int64_t now)
{
	const struct slot *slot;
	unsigned seconds = 0;

	pthread_mutex_lock(&throttle->lock);
	slot = slot_of(throttle, address, now, false);
	if (slot && slot->wrong >= THROTTLE_MOST)
		seconds = (unsigned)(slot->begun + THROTTLE_SECONDS - now);
	pthread_mutex_unlock(&throttle->lock);
	return seconds;
}

void throttle_note(struct throttle *throttle, const char *address, int64_t now)
{
	struct slot *slot;

	pthread_mutex_lock(&throttle->lock);
	slot = slot_of(throttle, address, now, true);
	if (slot->wrong < THROTTLE_MOST)
		slot->wrong++;
	pthread_mutex_unlock(&throttle->lock);
}
