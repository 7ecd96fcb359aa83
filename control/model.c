// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/model.h"

#include <stdlib.h>
#include <string.h>

#include "control/attest-record.h"

void boot_release(struct boot *boot)
{
	json_decref(boot->stages);
	json_decref(boot->images);
	boot->stages = boot->images = NULL;
}

struct node *node_new(const char *id)
{
	struct node *node = calloc(1, sizeof *node);

	if (!node)
		return NULL;
	memcpy(node->id, id, NODE_ID_SIZE);
	node->weight = WEIGHT_DEFAULT;
	node->inventory = json_object();
	node->slots = json_object();
	node->identity.macs = json_array();
	if (!node->inventory || !node->slots || !node->identity.macs || assignment_init(&node->assignment) < 0) {
		node_free(node);
		return NULL;
	}
	return node;
}

void node_free(struct node *node)
{
	if (!node)
		return;
	json_decref(node->inventory);
	json_decref(node->slots);
	json_decref(node->identity.macs);
	assignment_release(&node->assignment);
	boot_release(&node->boot);
	live_free(node->live);
	order_free_all(node->orders);
	free(node->alarms);
	attest_record_free(node->attestation);
	free(node);
}

bool node_runs(const struct node *node)
{
	return node->live || (node->booted_once && (node->boot.event == BOOT_KEXEC || node->boot.event == BOOT_RESET));
}
