/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Words of 32 bits in the byte order of the machine. */
static int address_parse(const char *text, bool six, uint8_t ret_address[16])
{
	memcpy(ret_address, mapped, sizeof(mapped));
	for (int i = 0; i < (six ? 4 : 1); i++) {
		uint32_t word;

		if (strspn(text + 8 * i, "0123456789ABCDEFabcdef") < 8 || sscanf(text + 8 * i, "%8" SCNx32, &word) != 1)
			return -EINVAL;
		memcpy(ret_address + (six ? 4 * i : 12), &word, 4);
	}
	return 0;
}

int net_socket_parse(const char *line, bool six, struct net_socket *ret_socket)
{
	char local[33], remote[33];
	unsigned local_port, remote_port, state;
	uint64_t inode;
	size_t size = six ? 32 : 8;

	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %32[0-9A-Fa-f]:%4x %2x %*x:%*x %*x:%*x %*x %*u %*u %19" SCNu64, local, &local_port,
		   remote, &remote_port, &state, &inode) != 6 ||
	    strlen(local) != size || strlen(remote) != size)
		return -EINVAL;
	*ret_socket = (struct net_socket){ .local_port = (uint16_t)local_port, .remote_port = (uint16_t)remote_port,
					   .state = (uint8_t)state, .inode = inode };
	if (address_parse(local, six, ret_socket->local) < 0 || address_parse(remote, six, ret_socket->remote) < 0)
		return -EINVAL;
	return 0;
}

bool address_is_loopback(const uint8_t address[16])
{
	static const uint8_t one[16] = { [15] = 1 };

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return address[12] == 127;
	return memcmp(address, one, sizeof(one)) == 0;
}

const char *address_text(const uint8_t address[16], char ret_text[ADDRESS_TEXT])
{
	bool four = memcmp(address, mapped, sizeof(mapped)) == 0;

	if (inet_ntop(four ? AF_INET : AF_INET6, four ? address + 12 : address, ret_text, ADDRESS_TEXT) == NULL)
		ret_text[0] = '\0';
	return ret_text;
}

bool port_set_has(const struct port_set *set, uint16_t port)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->ports[i] == port)
			return true;
	return false;
}

int ports_parse(const void *text, size_t size, struct port_set *ret_set)
{
	char error[160];
	json_t *json = json_parse(text, size, error);
	const json_t *ports = json_get_array(json, "ports");
	int r = json_is_object(json) ? 0 : -EINVAL;

	*ret_set = (struct port_set){ 0 };
	for (size_t i = 0; r == 0 && i < json_array_size(ports) && ret_set->count < PORTS_MOST; i++) {
		json_int_t port = json_integer_value(json_array_get(ports, i));

		if (port < 1 || port > 65535)
			r = -EINVAL;
		else
			ret_set->ports[ret_set->count++] = (uint16_t)port;
	}
	json_decref(json);
	return r;
}

/* FNV-1a; 0 marks a free slot. */
static uint64_t address_hash(const uint8_t address[16])
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (int i = 0; i < 16; i++)
		hash = (hash ^ address[i]) * 0x100000001b3u;
	return hash | 1;
}

void peers_add(struct peers *peers, const struct net_socket *socket, const struct port_set *ports)
{
	uint64_t hash;
	size_t slot;

	if (socket->state != SOCKET_ESTABLISHED || address_is_loopback(socket->remote) || !port_set_has(ports, socket->local_port))
		return;
	peers->connections++;
	hash = address_hash(socket->remote);
	for (slot = (hash >> 20) % PEER_SLOTS; peers->seen[slot] != 0; slot = (slot + 1) % PEER_SLOTS)
		if (peers->seen[slot] == hash)
			return;
	if (peers->peers >= PEER_SLOTS / 4 * 3)
		return;
	peers->seen[slot] = hash;
	peers->peers++;
}
