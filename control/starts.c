// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/starts.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

static const char *const policy_names[] = { "auto", "kexec", "reset" };
static const char *const way_names[START_WAYS] = { "kexec", "reset" };

const char *start_way_name(enum start_way way)
{
	return way_names[way];
}

int start_way_parse(const char *text, enum start_way *ret_way)
{
	for (unsigned i = 0; i < START_WAYS; i++) {
		if (!strcmp(text, way_names[i])) {
			*ret_way = (enum start_way)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *start_policy_name(enum start_policy policy)
{
	return policy_names[policy];
}

int start_policy_parse(const char *text, enum start_policy *ret_policy)
{
	for (unsigned i = 0; i < sizeof policy_names / sizeof policy_names[0]; i++) {
		if (!strcmp(text, policy_names[i])) {
			*ret_policy = (enum start_policy)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool starts_count(struct starts *starts, const struct last_start *last)
{
	struct start_count *way;

	if (!last->known || !strcmp(last->nonce, starts->counted))
		return false;
	strcpy(starts->counted, last->nonce);
	way = &starts->ways[last->way];
	if (last->arrived) {
		way->arrived++;
		way->lost_in_row = 0;
		return true;
	}
	way->lost++;
	way->lost_in_row++;
	/* A system that is lost by way of the firmware too wasn't lost by kexec. */
	if (last->way == START_RESET)
		starts->ways[START_KEXEC].lost_in_row = 0;
	return true;
}

enum start_way starts_choose(const struct starts *starts, enum start_policy policy, bool uefi)
{
	if (policy != START_POLICY_AUTO)
		return policy == START_POLICY_RESET ? START_RESET : START_KEXEC;
	return uefi && starts->ways[START_KEXEC].lost_in_row >= KEXEC_LOST_MOST ? START_RESET : START_KEXEC;
}

json_t *starts_format(const struct starts *starts)
{
	json_t *object = json_pack("{ss}", "counted", starts->counted);

	for (unsigned i = 0; object && i < START_WAYS; i++)
		json_object_set_new(object, way_names[i],
				    json_pack("{sI sI sI}", "arrived", (json_int_t)starts->ways[i].arrived, "lost",
					      (json_int_t)starts->ways[i].lost, "lost_in_row",
					      (json_int_t)starts->ways[i].lost_in_row));
	return object;
}

int starts_parse(const json_t *object, struct starts *ret_starts)
{
	const char *counted = json_get_string(object, "counted");

	*ret_starts = (struct starts){ 0 };
	if (!json_is_object(object))
		return -EINVAL;
	if (json_object_size(object) == 0)
		return 0;
	if (!counted || (*counted && !nonce_valid(counted)))
		return -EINVAL;
	strcpy(ret_starts->counted, counted);
	for (unsigned i = 0; i < START_WAYS; i++) {
		const json_t *way = json_object_get(object, way_names[i]);
		struct start_count *count = &ret_starts->ways[i];

		if (json_get_u64(way, "arrived", &count->arrived) < 0 || json_get_u64(way, "lost", &count->lost) < 0 ||
		    json_get_u64(way, "lost_in_row", &count->lost_in_row) < 0)
			return -EINVAL;
	}
	return 0;
}
