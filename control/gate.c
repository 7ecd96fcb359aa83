// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST_MILLISECONDS 1000

struct gate {
	struct control *control;
	pthread_mutex_t lock; /* of the list; never held while the control's is waited for */
	char (*list)[ADDRESS_MOST + 1]; /* addresses of servers that run, sorted; a second old at most */
	size_t count;
	int64_t listed_ms;
};

int gate_new(struct control *control, struct gate **ret_gate)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (!gate)
		return -ENOMEM;
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

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Thousands of servers fetch at once: only who may be one that runs is looked at under the control's lock. */
static void renew_list(struct gate *gate, int64_t now)
{
	const struct fleet *fleet = gate->control->fleet;
	char (*list)[ADDRESS_MOST + 1], (*old)[ADDRESS_MOST + 1];
	size_t count = 0, nodes;

	control_lock(gate->control);
	nodes = fleet_count(fleet);
	list = calloc(nodes + 1, sizeof *list);
	for (size_t i = 0; list && i < nodes; i++)
		if (node_runs(fleet_node(fleet, i)))
			memcpy(list[count++], fleet_node(fleet, i)->address, sizeof *list);
	control_leave(gate->control);
	/* Without memory the former list counts on. */
	if (!list)
		return;
	qsort(list, count, sizeof *list, by_text);
	pthread_mutex_lock(&gate->lock);
	old = gate->list;
	gate->list = list;
	gate->count = count;
	gate->listed_ms = now;
	pthread_mutex_unlock(&gate->lock);
	free(old);
}

static bool is_listed(struct gate *gate, const char *address)
{
	char key[ADDRESS_MOST + 1] = "";
	bool found;

	if (strlen(address) > ADDRESS_MOST)
		return false;
	strcpy(key, address);
	pthread_mutex_lock(&gate->lock);
	found = gate->count && bsearch(key, gate->list, gate->count, sizeof *gate->list, by_text);
	pthread_mutex_unlock(&gate->lock);
	return found;
}

static bool is_old(struct gate *gate, int64_t now)
{
	bool old;

	pthread_mutex_lock(&gate->lock);
	old = gate->listed_ms == INT64_MIN || now - gate->listed_ms >= LIST_MILLISECONDS;
	pthread_mutex_unlock(&gate->lock);
	return old;
}

bool gate_refuses(struct gate *gate, const char *path, const char *address, char ret_why[ERROR_TEXT])
{
	int64_t now = now_ms();
	bool refuses;

	/* Metadata are asked for before the control unit knows that the server starts anew; they hold no image. */
	if (strncmp(path, "targets/", 8) || is_loopback(address))
		return false;
	if (is_old(gate, now))
		renew_list(gate, now);
	if (!is_listed(gate, address))
		return false;
	control_lock(gate->control);
	refuses = gate->control->settings.images == GATE_STAGE1 && fleet_only_runs(gate->control->fleet, address);
	control_leave(gate->control);
	if (refuses)
		refused(ret_why, "a server that runs its operating system gets no images; its stage 1 does, and with `repave settings images=any` everybody");
	return refuses;
}
