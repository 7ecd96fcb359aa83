/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/config.h"

#include <errno.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/file.h"
#include "common/http-text.h"
#include "common/json.h"
#include "provisioner/cmdline.h"
#include "provisioner/watchdog.h"

#define FILE_MOST (1u << 20)

/* A name, an IPv4 or an IPv6 address: nothing that could change the meaning of a URL. */
static int host_format(const char *text, size_t length, char ret_host[256])
{
	bool six = memchr(text, ':', length) != NULL;

	if (length > 250 || text[0] == '-' ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-") < length)
		return -EINVAL;
	snprintf(ret_host, 256, six ? "[%.*s]" : "%.*s", (int)length, text);
	return 0;
}

/* One or several, with spaces or commas between them. */
static int hosts_set(struct config *config, const char *text)
{
	int r = 0;

	config->host_count = config->host_now = config->lease_hosts = 0;
	while (r == 0 && *(text += strspn(text, " ,")) != '\0') {
		size_t length = strcspn(text, " ,");

		r = config->host_count < HOSTS_MOST ? host_format(text, length, config->hosts[config->host_count++]) : -EINVAL;
		text += length;
	}
	if (r < 0 || config->host_count == 0)
		return -EINVAL;
	memcpy(config->host, config->hosts[0], sizeof(config->host));
	return 0;
}

static bool has_host(char hosts[][256], unsigned count, const char *host)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(hosts[i], host) == 0)
			return true;
	return false;
}

/* The lease's addresses before the medium's own. */
static bool take_hosts(struct config *config, const char *text)
{
	char hosts[2 * HOSTS_MOST][256] = { { 0 } };
	unsigned lease = 0, count;
	bool named = false;

	while (*(text += strspn(text, " ,")) != '\0') {
		size_t length = strcspn(text, " ,");

		named = true;
		if (lease < HOSTS_MOST && host_format(text, length, hosts[lease]) == 0 && !has_host(hosts, lease, hosts[lease]))
			lease++;
		text += length;
	}
	count = lease;
	for (unsigned i = config->lease_hosts; i < config->host_count; i++)
		memcpy(hosts[count++], config->hosts[i], sizeof(hosts[0]));
	if (count != config->host_count || memcmp(hosts, config->hosts, sizeof(hosts)) != 0) {
		memcpy(config->hosts, hosts, sizeof(hosts));
		config->host_count = count;
		config->lease_hosts = lease;
		config->host_now = 0;
		memcpy(config->host, config->hosts[0], sizeof(config->host));
	}
	return lease > 0 || !named;
}

/* NTP servers go to another program as words: characters of addresses, and no option. */
static bool ntp_ok(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:,-")] == '\0' &&
	       text[0] != '-' && strstr(text, ",-") == NULL;
}

bool config_take_lease(struct config *config, const char *words, const char *lease)
{
	char text[2048];
	bool sound = true;

	if (cmdline_value(words, "repave.cu", text, sizeof(text)) == -ENOENT) {
		int r = cmdline_value(lease, "repave.cu", text, sizeof(text));

		sound = take_hosts(config, r == 0 ? text : "") && (r == 0 || r == -ENOENT);
	}
	if (cmdline_value(words, "repave.ntp", text, sizeof(text)) == -ENOENT &&
	    (cmdline_value(lease, "repave.ntp", config->ntp, sizeof(config->ntp)) != 0 || !ntp_ok(config->ntp)))
		config->ntp[0] = '\0';
	return sound;
}

bool config_next_host(struct config *config)
{
	config->host_now = (config->host_now + 1) % config->host_count;
	memcpy(config->host, config->hosts[config->host_now], sizeof(config->host));
	return config->host_now == 0;
}

static int port_set(uint64_t value, unsigned *ret_port)
{
	if (value < 1 || value > 65535)
		return -EINVAL;
	*ret_port = (unsigned)value;
	return 0;
}

static int proxy_set(struct config *config, const char *text)
{
	if (text == NULL || text[0] == '\0' || strcmp(text, "none") == 0) {
		config->proxy[0] = '\0';
		return 0;
	}
	if (!http_proxy_ok(text) || strlen(text) >= sizeof(config->proxy))
		return -EINVAL;
	strcpy(config->proxy, text);
	return 0;
}

/* A member that may be absent. */
static int number(const json_t *json, const char *key, uint64_t least, uint64_t most, unsigned otherwise, unsigned *ret_value)
{
	uint64_t value = otherwise;
	int r = json_get_u64(json, key, &value);

	if ((r < 0 && r != -ENOENT) || value < least || value > most)
		return -EINVAL;
	*ret_value = (unsigned)value;
	return 0;
}

static int config_parse(struct config *config, const json_t *json, char ret_error[SENTENCE])
{
	const char *host = json_get_string(json, "control_unit"), *version = json_get_string(json, "version");
	uint64_t port = 0, repository_port = 0, build_time = 0;

	json_get_u64(json, "port", &port);
	json_get_u64(json, "repository_port", &repository_port);
	if (host == NULL || hosts_set(config, host) < 0 || port_set(port, &config->port) < 0 ||
	    port_set(repository_port, &config->repository_port) < 0)
		return sentence(ret_error, -EINVAL, "config.json: control_unit, port or repository_port isn't sound");
	if (json_get_u64(json, "slot_c_mib", &config->slot_c_mib) < 0 || json_get_u64(json, "slot_d_mib", &config->slot_d_mib) < 0 ||
	    config->slot_c_mib == 0 || config->slot_d_mib == 0)
		return sentence(ret_error, -EINVAL, "config.json: slot_c_mib or slot_d_mib isn't a size");
	if (json_get_u64(json, "build_time", &build_time) < 0)
		return sentence(ret_error, -EINVAL, "config.json: build_time is missing");
	if (number(json, "boot_tries", 1, 20, 3, &config->boot_tries) < 0 ||
	    number(json, "health_seconds", 10, 86400, 300, &config->health_seconds) < 0)
		return sentence(ret_error, -EINVAL, "config.json: boot_tries or health_seconds isn't sound");
	if (number(json, "unreachable_seconds", 0, 86400, 300, &config->unreachable_seconds) < 0 ||
	    number(json, "grace_seconds", 0, 10 * 366 * 86400, 7 * 86400, &config->grace_seconds) < 0)
		return sentence(ret_error, -EINVAL, "config.json: unreachable_seconds or grace_seconds isn't sound");
	config->unreachable_boot = json_is_true(json_object_get(json, "unreachable_boot"));
	config->restart_on_corruption = json_is_true(json_object_get(json, "restart_on_corruption"));
	config->tpm_floor = !json_is_false(json_object_get(json, "tpm_floor"));
	config->reset_without_kexec = json_is_true(json_object_get(json, "reset_without_kexec"));
	if (proxy_set(config, json_get_string(json, "proxy")) < 0)
		return sentence(ret_error, -EINVAL, "config.json: proxy isn't an address such as http://10.0.0.1:3128");
	config->build_time = (int64_t)build_time;
	snprintf(config->version, sizeof(config->version), "%.64s", version != NULL ? version : "unknown");
	return 0;
}

/* Returns -ENOENT when the word isn't there. */
static int override_port(const char *cmdline, const char *key, unsigned *port)
{
	char text[32];
	uint64_t value;
	int r = cmdline_value(cmdline, key, text, sizeof(text));

	if (r < 0)
		return r;
	return parse_u64(text, &value) < 0 ? -EINVAL : port_set(value, port);
}

static int override_number(const char *cmdline, const char *key, uint64_t least, uint64_t most, unsigned *value)
{
	char text[32];
	uint64_t number_given;
	int r = cmdline_value(cmdline, key, text, sizeof(text));

	if (r == -ENOENT)
		return 0;
	if (r < 0 || parse_u64(text, &number_given) < 0 || number_given < least || number_given > most)
		return -EINVAL;
	*value = (unsigned)number_given;
	return 0;
}

static int override_watchdog(const char *cmdline, unsigned *ret_seconds)
{
	char text[4] = "";

	*ret_seconds = 0;
	if (cmdline_value(cmdline, "repave.watchdog", text, sizeof(text)) == 0 && strcmp(text, "0") == 0)
		return 0;
	*ret_seconds = WATCHDOG_SECONDS;
	return override_number(cmdline, "repave.watchdog", WATCHDOG_SECONDS_LEAST, WATCHDOG_SECONDS_MOST, ret_seconds);
}

static int overrides(struct config *config, const char *cmdline, char ret_error[SENTENCE])
{
	char host[2048], text[16] = "";
	int found, r = cmdline_value(cmdline, "repave.cu", host, sizeof(host));

	if (r == 0)
		r = hosts_set(config, host);
	if (r < 0 && r != -ENOENT)
		return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.cu isn't an address");
	r = override_port(cmdline, "repave.port", &config->port);
	if (r == 0 || r == -ENOENT)
		r = override_port(cmdline, "repave.repository_port", &config->repository_port);
	if (r < 0 && r != -ENOENT)
		return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.port or repave.repository_port isn't a port");
	r = override_number(cmdline, "repave.tries", 1, 20, &config->boot_tries);
	if (r == 0)
		r = override_number(cmdline, "repave.health", 10, 86400, &config->health_seconds);
	if (r == 0)
		r = override_watchdog(cmdline, &config->watchdog_seconds);
	found = cmdline_value(cmdline, "repave.proxy", host, sizeof(host));
	if (found != -ENOENT && (found < 0 || proxy_set(config, host) < 0))
		return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.proxy isn't an address such as "
				"http://10.0.0.1:3128, or none");
	config->ntp[0] = '\0';
	if (cmdline_value(cmdline, "repave.ntp", config->ntp, sizeof(config->ntp)) != -ENOENT && !ntp_ok(config->ntp))
		return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.ntp isn't an address");
	if (cmdline_value(cmdline, "repave.slots", text, sizeof(text)) != -ENOENT) {
		if (strcmp(text, "ram") != 0 && strcmp(text, "disk") != 0)
			return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.slots is neither ram nor disk");
		config->ram_slots = strcmp(text, "ram") == 0;
	}
	text[0] = '\0';
	if (cmdline_value(cmdline, "repave.unreachable", text, sizeof(text)) != -ENOENT) {
		config->unreachable_boot = strcmp(text, "wait") != 0;
		if (r == 0 && config->unreachable_boot)
			r = override_number(cmdline, "repave.unreachable", 0, 86400, &config->unreachable_seconds);
	}
	if (r < 0)
		return sentence(ret_error, -EINVAL, "kernel command line or SMBIOS: repave.tries (1 to 20) or repave.health (10 to 86400 seconds) "
				"or repave.watchdog (0, or 20 to 3600 seconds) or repave.unreachable (wait, or 0 to 86400 seconds) isn't sound");
	return 0;
}

static int token_load(struct config *config, const char *path, char ret_error[SENTENCE])
{
	struct buffer data = { 0 };
	int r = file_load(path, 4096, &data);
	size_t length = 0;

	if (r == -ENOENT)
		return 0;
	while (r == 0 && length < data.size && data.data[length] > 0x20 && data.data[length] < 0x7f)
		length++;
	if (r == 0 && length < sizeof(config->token) && length > 0)
		memcpy(config->token, data.data, length);
	else
		r = sentence(ret_error, r < 0 ? r : -EINVAL, "%s isn't a join token: make the boot medium again", path);
	if (data.data != NULL)
		memset(data.data, 0, data.size);
	buffer_release(&data);
	return r;
}

static int64_t end_of(const mbedtls_x509_crt *ca)
{
	struct tm to = { .tm_year = ca->valid_to.year - 1900, .tm_mon = ca->valid_to.mon - 1, .tm_mday = ca->valid_to.day,
			 .tm_hour = ca->valid_to.hour, .tm_min = ca->valid_to.min, .tm_sec = ca->valid_to.sec };

	return (int64_t)timegm(&to);
}

/* A certificate from the future is refused, and the packages that give the build its time are often older than the fleet: a
 * server whose clock has no battery would never get in. */
static int ca_load(struct config *config, char ret_error[SENTENCE])
{
	mbedtls_x509_crt ca;
	struct tm from = { 0 };
	int r;

	mbedtls_x509_crt_init(&ca);
	r = mbedtls_x509_crt_parse_file(&ca, config->ca_file);
	if (r == 0) {
		from = (struct tm){ .tm_year = ca.valid_from.year - 1900, .tm_mon = ca.valid_from.mon - 1,
				    .tm_mday = ca.valid_from.day, .tm_hour = ca.valid_from.hour,
				    .tm_min = ca.valid_from.min, .tm_sec = ca.valid_from.sec };
		if (timegm(&from) > config->build_time)
			config->build_time = timegm(&from);
		config->ca_end = end_of(&ca);
	}
	mbedtls_x509_crt_free(&ca);
	return r == 0 ? 0 : sentence(ret_error, -EINVAL, "%s isn't the certificate of a CA: make the boot medium again",
				     config->ca_file);
}

int config_load(const char *folder, const char *token_file, const char *cmdline, struct config *ret_config,
		char ret_error[SENTENCE])
{
	struct buffer text = { 0 };
	char path[512], detail[160];
	json_t *json = NULL;
	int r;

	memset(ret_config, 0, sizeof(*ret_config));
	snprintf(ret_config->ca_file, sizeof(ret_config->ca_file), "%s/ca.pem", folder);
	snprintf(path, sizeof(path), "%s/config.json", folder);
	r = file_load(path, FILE_MOST, &text);
	if (r < 0) {
		sentence(ret_error, r, "%s can't be read: %s", path, strerror(-r));
		goto out;
	}
	json = json_parse(text.data, text.size, detail);
	r = json_is_object(json) ? config_parse(ret_config, json, ret_error)
				 : sentence(ret_error, -EINVAL, "%s isn't a JSON object", path);
	if (r == 0)
		r = overrides(ret_config, cmdline, ret_error);
	if (r == 0)
		r = token_load(ret_config, token_file, ret_error);
	if (r == 0)
		r = ca_load(ret_config, ret_error);
	if (r < 0)
		goto out;
	snprintf(path, sizeof(path), "%s/root.json", folder);
	r = file_load(path, FILE_MOST, &ret_config->root);
	if (r < 0)
		sentence(ret_error, r, "%s can't be read: %s", path, strerror(-r));
out:
	json_decref(json);
	buffer_release(&text);
	return r;
}

void config_release(struct config *config)
{
	buffer_release(&config->root);
	memset(config->token, 0, sizeof(config->token));
}
