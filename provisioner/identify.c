/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/identify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "signing/sha256.h"

#define ETHERNET "1" /* ARPHRD_ETHER */

/* Text of firmware may hold anything; JSON and a console want printable ASCII. */
static void read_text(const char *sys, const char *name, char ret_text[65])
{
	char path[512], *line;

	snprintf(path, sizeof(path), "%s/class/dmi/id/%s", sys, name);
	line = read_line_of(path);
	ret_text[0] = '\0';
	if (line == NULL)
		return;
	snprintf(ret_text, 65, "%.64s", line);
	free(line);
	for (char *p = ret_text; *p != '\0'; p++)
		if (*p < 0x20 || *p >= 0x7f)
			*p = '?';
}

/* Boards without a UUID of their own carry one of these, many servers the same. */
static bool uuid_usable(const uint8_t raw[16])
{
	for (unsigned i = 1; i < 16; i++)
		if (raw[i] != raw[0])
			return true;
	return raw[0] != 0x00 && raw[0] != 0xff;
}

static bool dmi_uuid(const char *sys, char ret_uuid[37])
{
	uint8_t raw[16];
	char text[65];

	read_text(sys, "product_uuid", text);
	if (guid_parse(text, raw) < 0 || !uuid_usable(raw))
		return false;
	guid_format(raw, ret_uuid);
	return true;
}

/* Version 8 of RFC 9562: the first bits of a SHA-256. The same card gives the same identity at every boot. */
static void derive_uuid(const char *mac, char ret_uuid[37])
{
	static const char purpose[] = "repave node by MAC ";
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;
	char hex[33];

	sha256_init(&sha);
	sha256_update(&sha, purpose, strlen(purpose));
	sha256_update(&sha, mac, strlen(mac));
	sha256_final(&sha, digest);
	digest[6] = (digest[6] & 0x0f) | 0x80;
	digest[8] = (digest[8] & 0x3f) | 0x80;
	hex_format(digest, 16, hex);
	snprintf(ret_uuid, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static bool ethernet_mac(const char *sys, const char *name, char ret_mac[18])
{
	char path[512], *type, *address;
	bool good;

	snprintf(path, sizeof(path), "%s/class/net/%s/type", sys, name);
	type = read_line_of(path);
	snprintf(path, sizeof(path), "%s/class/net/%s/address", sys, name);
	address = read_line_of(path);
	good = type != NULL && strcmp(type, ETHERNET) == 0 && address != NULL && strlen(address) == 17 &&
	       strcmp(address, "00:00:00:00:00:00") != 0 && address[strspn(address, "0123456789abcdef:")] == '\0';
	if (good)
		memcpy(ret_mac, address, 18);
	free(type);
	free(address);
	return good;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void read_macs(const char *sys, struct identity *identity)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/class/net", sys);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL && identity->mac_count < MACS_MOST)
		if (entry->d_name[0] != '.' && ethernet_mac(sys, entry->d_name, identity->macs[identity->mac_count]))
			identity->mac_count++;
	if (dir != NULL)
		closedir(dir);
	/* The kernel's order depends on which driver was faster; the identity must not. */
	qsort(identity->macs, identity->mac_count, sizeof(identity->macs[0]), by_text);
}

int identify(const char *sys, struct identity *ret_identity, char ret_error[SENTENCE])
{
	struct identity *identity = ret_identity;
	struct sysinfo info;
	char path[512];
	int disks;

	memset(identity, 0, sizeof(*identity));
	read_macs(sys, identity);
	if (!dmi_uuid(sys, identity->uuid)) {
		if (identity->mac_count == 0)
			return sentence(ret_error, -ENODEV, "this server has neither a DMI UUID nor an Ethernet address to be "
					"known by: is the network card's driver in the initramfs?");
		derive_uuid(identity->macs[0], identity->uuid);
		identity->derived = true;
	}
	read_text(sys, "product_serial", identity->serial);
	read_text(sys, "sys_vendor", identity->vendor);
	read_text(sys, "product_name", identity->product);
	if (sysinfo(&info) == 0)
		identity->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
	identity->cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	snprintf(path, sizeof(path), "%s/firmware/efi", sys);
	identity->uefi = access(path, F_OK) == 0;
	disks = blockdev_list(sys, identity->disks, IDENTITY_DISKS_MOST);
	identity->disk_count = disks > 0 ? (unsigned)disks : 0;
	return 0;
}

json_t *identity_json(const struct identity *identity)
{
	json_t *macs = json_array(), *disks = json_array();

	for (unsigned i = 0; i < identity->mac_count; i++)
		json_array_append_new(macs, json_string(identity->macs[i]));
	for (unsigned i = 0; i < identity->disk_count; i++)
		json_array_append_new(disks, json_pack("{s:s,s:I}", "name", identity->disks[i].name, "size_bytes",
						       (json_int_t)identity->disks[i].size));
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:I,s:i,s:s,s:o}", "uuid", identity->uuid, "serial", identity->serial, "vendor",
			 identity->vendor, "product", identity->product, "macs", macs, "memory_bytes",
			 (json_int_t)identity->memory_bytes, "cpus", (int)identity->cpus, "firmware",
			 identity->uefi ? "uefi" : "bios", "disks", disks);
}
