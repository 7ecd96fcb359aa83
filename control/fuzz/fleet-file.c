// SPDX-License-Identifier: GPL-2.0-or-later
/* Fleet files. What is read must come back the same from what is written of it; groups and balancers in it are parsed too, and what
 * HAProxy is configured with has no characters that could end a line of it early. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/fleet-file.h"
#include "control/haproxy-config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void configure(const json_t *groups, const json_t *balancer)
{
	struct balancer_settings settings, changed;
	struct group_list list = { 0 };
	char why[ERROR_TEXT], *text = NULL;
	struct haproxy_config config = { &list, &settings, "unix:/run/haproxy.sock", "0", true };

	if (balancer_settings_init(&settings) < 0)
		abort();
	if (balancer && !balancer_settings_parse(&settings, balancer, &changed, why)) {
		balancer_settings_release(&settings);
		settings = changed;
	}
	if (groups && !group_list_parse(groups, &list, why)) {
		if (haproxy_config_print(&config, &text) < 0)
			abort();
		for (const char *at = text; *at; at++)
			if (*at != '\n' && (*at < 0x20 || *at == 0x7f))
				abort();
		free(text);
		group_list_release(&list);
	}
	balancer_settings_release(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *fleet = NULL, *again = NULL, *lines = json_object();
	char why[ERROR_TEXT] = "", *text = NULL;

	if (fleet_file_parse((const char *)data, size, &fleet, lines, why)) {
		json_decref(lines);
		if (!text_printable(why, strlen(why)))
			abort();
		return 0;
	}
	if (fleet_file_format(fleet, &text) < 0 || fleet_file_parse(text, strlen(text), &again, NULL, why) < 0 || !json_equal(fleet, again))
		abort();
	if (fleet_file_check(fleet, lines, why) == -EINVAL && !text_printable(why, strlen(why)))
		abort();
	json_decref(lines);
	configure(json_object_get(fleet, "groups"), json_object_get(fleet, "balancer"));
	free(text);
	json_decref(again);
	json_decref(fleet);
	return 0;
}
