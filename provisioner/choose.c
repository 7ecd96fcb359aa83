/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which system boots: the assigned one, or the last good one after it failed too often. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provisioner/provision.h"

static void part_of(const struct volume *volume, struct system_part *ret_part)
{
	memset(ret_part, 0, sizeof(*ret_part));
	if (volume->image == NULL)
		return;
	snprintf(ret_part->slot, sizeof(ret_part->slot), "%s", part_name(volume->part));
	snprintf(ret_part->target, sizeof(ret_part->target), "%s", verified_image_path(volume->image));
	hex_format(verified_image_description(volume->image)->root_hash, 32, ret_part->root);
}

void pair_of(const struct provision *p, struct system_pair *ret_pair)
{
	part_of(&p->c, &ret_pair->c);
	part_of(&p->d, &ret_pair->d);
}

/* The names in STATE stand for what is signed now, or for nothing. */
static int take_last_good(struct provision *p, const struct system_pair *good)
{
	struct system_pair found;
	int r = resolve_images(p, good->c.target, good->d.root[0] != '\0' ? good->d.target : NULL);

	if (r < 0)
		return r;
	pair_of(p, &found);
	if (!pair_equal(&found, good))
		return sentence(p->error, -ESTALE, "%s was signed again with other content", good->c.target);
	p->last_good = true;
	return 0;
}

int choose_system(struct provision *p)
{
	struct system_pair wanted, good;
	char why[SENTENCE], text[SENTENCE];
	unsigned count;
	int r = 0;

	pair_of(p, &wanted);
	count = tries_believed(&p->state, p->assignment.number, &wanted, p->assignment.starts_seen);
	p->last_good = false;
	if (count == 0)
		return 0;
	sentence(why, 0, "%s%s%s didn't report healthy after %u start%s", wanted.c.target, wanted.d.root[0] != '\0' ? " with " : "",
		 wanted.d.target, count, count == 1 ? "" : "s");
	if (count < p->config.boot_tries) {
		add_notice(p, why);
		console_line(&p->stages, "%s; trying it again (at most %u starts)", why, p->config.boot_tries);
		return 0;
	}
	if (!tries_last_good(&p->state, &good) || pair_equal(&good, &wanted)) {
		sentence(text, 0, "%s; no other system was healthy on this disk, so it is tried again", why);
	} else if (take_last_good(p, &good) == 0) {
		sentence(text, 0, "%s; the last good system boots instead: %s%s%s. To try it again: repave assign %s --os NAME", why,
			 good.c.target, good.d.root[0] != '\0' ? " with " : "", good.d.target, p->identity.uuid);
	} else {
		sentence(text, 0, "%s, and the last good system can't boot (%.200s): it is tried again", why, p->error);
		r = resolve_images(p, p->assignment.os_target, p->assignment.app_target);
	}
	add_notice(p, text);
	console_line(&p->stages, "%s", text);
	return r;
}

/* In place of what can't be installed because of `why`; `error` again where there is none. */
static int fall_back(struct provision *p, const char *why, int error)
{
	struct system_pair wanted, good;
	char text[SENTENCE], before[SENTENCE];

	snprintf(before, sizeof(before), "%s", p->error);
	pair_of(p, &wanted);
	if (!tries_last_good(&p->state, &good) || pair_equal(&good, &wanted) || take_last_good(p, &good) < 0) {
		snprintf(p->error, sizeof(p->error), "%s", before);
		return error;
	}
	p->c.installed = p->d.installed = false;
	sentence(text, 0, "%.300s; the last good system boots instead: %s%s%s", why, good.c.target, good.d.root[0] != '\0' ? " with " : "",
		 good.d.target);
	add_notice(p, text);
	console_line(&p->stages, "%s", text);
	return fill_slots(p);
}

int do_without_slot(struct provision *p)
{
	char why[SENTENCE];
	int r;

	snprintf(why, sizeof(why), "%s", p->error);
	p->c.installed = p->d.installed = false;
	r = slots_in_ram(p, why);
	if (r < 0)
		return fall_back(p, why, r);
	add_notice(p, why);
	return fill_slots(p);
}

int do_without_install(struct provision *p, int error)
{
	char why[SENTENCE];

	if (p->last_good || !failures_add(&p->failures, p->assignment.number, p->config.boot_tries))
		return error;
	/* The slots in RAM are of no use then; those of the disk are. */
	if (p->config.ram_slots || !p->disk.found)
		return error;
	p->disk.in_ram = false;
	sentence(why, 0, "%.200s can't be installed, %u times by now (%.250s)", verified_image_path(p->c.image), p->failures.count, p->error);
	return fall_back(p, why, error);
}
