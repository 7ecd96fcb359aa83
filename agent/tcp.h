/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets as /proc/net/{tcp,tcp6,udp,udp6} tell them (Documentation/networking/proc_net_tcp.rst of Linux). Pure. */
#ifndef AGENT_TCP_H
#define AGENT_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States (include/net/tcp_states.h). A bound UDP socket that has no peer shows as SOCKET_CLOSED. */
#define SOCKET_ESTABLISHED 1
#define SOCKET_CLOSED 7
#define SOCKET_LISTEN 10

#define ADDRESS_TEXT 46u /* of an IPv6 address with its NUL */
#define PORTS_MOST 32u

struct net_socket {
	uint8_t local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t local_port, remote_port;
	uint8_t state;
	uint64_t inode;
};

/* 0; -EINVAL, also for the heading. `six`: of tcp6 or udp6. */
int net_socket_parse(const char *line, bool six, struct net_socket *ret_socket);
bool address_is_loopback(const uint8_t address[16]);
/* "10.0.2.2" or "fe80::1". Returns `ret_text`. */
const char *address_text(const uint8_t address[16], char ret_text[ADDRESS_TEXT]);

struct port_set {
	uint16_t ports[PORTS_MOST];
	size_t count;
};

bool port_set_has(const struct port_set *set, uint16_t port);
/* The "ports" of an application's app.json (docs/protocol.md). 0 or -EINVAL; what is beyond PORTS_MOST is left out. */
int ports_parse(const void *text, size_t size, struct port_set *ret_set);

/* Who is connected to an application. Zero it, add sockets, read `connections` and `peers`. */
#define PEER_SLOTS 8192u

struct peers {
	uint64_t connections;
	uint32_t peers;      /* different addresses; no more are told apart than three quarters of PEER_SLOTS */
	uint64_t seen[PEER_SLOTS];
};

/* Counts an established connection from elsewhere to one of the ports. */
void peers_add(struct peers *peers, const struct net_socket *socket, const struct port_set *ports);

#endif
