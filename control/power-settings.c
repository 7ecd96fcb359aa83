// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/power-settings.h"

#include <errno.h>

#include "control/store-power.h"

static int seal(const struct sealing_key *key, const struct power_config *config, const char *password, struct buffer *ret_sealed)
{
	struct buffer purpose = { 0 };
	int r = power_config_purpose(config, &purpose);

	if (!r)
		r = sealed_close(key, (const char *)purpose.data, password, ret_sealed);
	buffer_release(&purpose);
	return r;
}

static int unseal(const struct sealing_key *key, const struct power_config *config, const struct buffer *sealed,
		  struct buffer *ret_password, char ret_error[ERROR_TEXT])
{
	struct buffer purpose = { 0 };
	int r = power_config_purpose(config, &purpose);

	if (!r)
		r = sealed_open(key, (const char *)purpose.data, (const char *)sealed->data, ret_password);
	buffer_release(&purpose);
	if (r == -ENOKEY)
		refused(ret_error, "the BMC's password was sealed with another key than this control unit's; put back " SEALING_KEY_FILE
			" of that time, or give the password anew with `repave node power set`");
	else if (r == -EBADMSG)
		refused(ret_error, "the BMC's stored settings were changed by somebody else; give them anew with `repave node power set`");
	return r;
}

int power_settings_store(struct store *store, const struct sealing_key *key, const char *node, const json_t *body, int64_t now,
			 char ret_error[ERROR_TEXT])
{
	struct buffer sealed = { 0 };
	const char *password = NULL;
	struct power_config config;
	int r = power_config_parse(body, node, &config, &password, ret_error);

	if (r < 0)
		return r;
	config.changed = now;
	r = seal(key, &config, password, &sealed);
	if (!r)
		r = store_put_power(store, &config, (const char *)sealed.data);
	buffer_release(&sealed);
	power_config_release(&config);
	return r;
}

int power_settings_load(struct store *store, const struct sealing_key *key, const char *node, struct power_config *ret_config,
			struct buffer *ret_password, char ret_error[ERROR_TEXT])
{
	struct buffer sealed = { 0 };
	int r = store_get_power(store, node, ret_config, &sealed);

	if (r == -ENOENT)
		refused(ret_error, "the node has no power settings; `repave node power set` gives it some");
	if (!r)
		r = unseal(key, ret_config, &sealed, ret_password, ret_error);
	buffer_release(&sealed);
	return r;
}

json_t *power_settings_describe(struct store *store, const char *node)
{
	struct power_config config = { 0 };
	struct buffer sealed = { 0 };
	int r = store_get_power(store, node, &config, &sealed);
	json_t *settings = !r ? power_config_describe(&config) : r == -ENOENT ? json_null() : NULL;

	power_config_release(&config);
	buffer_release(&sealed);
	return settings;
}
