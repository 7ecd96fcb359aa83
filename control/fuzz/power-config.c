// SPDX-License-Identifier: GPL-2.0-or-later
/* Power settings as an operator may send them: what is taken goes on a command line and into a URL. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/power-record.h"

#define NODE "5e70a7e0-0000-4000-8000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct power_config *config, const char *password)
{
	struct buffer purpose = { 0 };
	json_t *shown = power_config_describe(config);

	if (!config->host[0] || config->host[0] == '-' || strpbrk(config->host, " /@\n[]") || !config->port || config->port > 65535)
		abort();
	if (!config->user[0] || strpbrk(config->user, ":\r\n") || !password[0] || strpbrk(password, "\r\n"))
		abort();
	if (config->kind == POWER_REDFISH && !config->ca == !config->fingerprint[0])
		abort();
	if (!shown || json_object_get(shown, "password") || power_config_purpose(config, &purpose) < 0)
		abort();
	json_decref(shown);
	buffer_release(&purpose);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[160], error[ERROR_TEXT] = "";
	json_t *body = json_parse(data, size, why);
	struct power_config config;
	const char *password = NULL;

	if (body && !power_config_parse(body, NODE, &config, &password, error)) {
		check(&config, password);
		power_config_release(&config);
	}
	json_decref(body);
	return 0;
}
