/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No control unit: the last good system boots by metadata that STATE kept. All signatures, versions and hashes are checked as
 * over the network; only the time at which it counts as expired is later, by the policy's grace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "provisioner/provision.h"

/* "7.targets.json", "timestamp.json", "3.acme%2Fweb.json" → the role's name. */
static int role_of(const char *name, char ret_role[512])
{
	size_t digits = strspn(name, "0123456789"), length, used = 0;

	if (digits > 0 && name[digits] == '.')
		name += digits + 1;
	length = strlen(name);
	if (length <= 5 || length >= 512 || strcmp(name + length - 5, ".json") != 0)
		return -ENOENT;
	for (size_t i = 0; i < length - 5; i++) {
		uint8_t byte;
		char pair[3];

		ret_role[used] = name[i];
		if (name[i] == '%' && i + 2 < length - 5) {
			snprintf(pair, sizeof(pair), "%.2s", name + i + 1);
			if (hex_parse(pair, &byte, 1) == 0 && byte != 0) {
				ret_role[used] = (char)byte;
				i += 2;
			}
		}
		used++;
	}
	ret_role[used] = '\0';
	return 0;
}

static int from_state(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	struct provision *p = context;
	struct tuf_store store = state_tuf_store(&p->state);
	char role[512];
	int r = role_of(name, role);

	/* A newer root than the one in STATE is nowhere here. */
	if (r < 0 || strcmp(role, "root") == 0)
		return -ENOENT;
	return store.load(store.context, role, most, ret_data);
}

static int open_trust(struct provision *p)
{
	struct tuf_store store = state_tuf_store(&p->state);
	struct tuf_fetch fetch = { .fetch = from_state, .context = p };
	int64_t now = (int64_t)time(NULL) - p->config.grace_seconds;
	int r;

	tuf_client_close(p->tuf);
	p->tuf = NULL;
	r = tuf_client_open(&store, &fetch, p->config.root.data, p->config.root.size, now, &p->tuf);
	if (r < 0)
		return sentence(p->error, r, "the trusted root.json of this boot medium can't be used: %s", strerror(-r));
	r = tuf_client_refresh(p->tuf);
	if (r < 0)
		sentence(p->error, r, "the last good system can't boot without a control unit: %s%.300s",
			 r == -ESTALE ? "its metadata expired longer ago than the policy's grace: " : "", tuf_client_error(p->tuf));
	return r < 0 ? r : platform_check_floor(p);
}

int boot_offline(struct provision *p)
{
	struct system_pair good, found;
	int r;

	stages_begin(&p->stages, "offline");
	if (!p->disk.found || !tries_last_good(&p->state, &good))
		return sentence(p->error, -ENOENT, "no control unit, and no system on this server was healthy before");
	r = rest_without_key(p);
	if (r == 0)
		r = open_trust(p);
	if (r == 0)
		r = resolve_images(p, good.c.target, good.d.root[0] != '\0' ? good.d.target : NULL);
	if (r < 0)
		return r;
	pair_of(p, &found);
	if (!pair_equal(&found, &good))
		return sentence(p->error, -ESTALE, "no control unit, and what was healthy isn't what is signed: refused");
	p->last_good = p->offline = true;
	console_line(&p->stages, "the last good system boots: %s%s%s", good.c.target, good.d.root[0] != '\0' ? " with " : "",
		     good.d.target);
	r = fill_slots(p);
	return r < 0 ? r : boot_or_repair(p);
}
