/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where HAProxy is and how its configuration follows from the groups. Pure. */
#ifndef CONTROL_HAPROXY_CONFIG_H
#define CONTROL_HAPROXY_CONFIG_H

#include <jansson.h>

#include "control/groups.h"

#define HAPROXY_SOCKETS_MOST 8u
#define HAPROXY_KEY_SIZE 32u  /* hexadecimal digits */
#define HAPROXY_SOCKET_PATH_MOST 97u /* what HAProxy takes: it binds a longer name first and renames that */

/* What an operator may say of the balancers. */
struct balancer_settings {
	json_t *sockets;      /* list of texts: "unix:/PATH" or "tcp:ADDRESS:PORT"; owned */
	char bind[64];        /* where clients connect: an address, or "*" */
	unsigned retry_after; /* seconds, told to those who are refused */
};

/* 0 or -ENOMEM. */
int balancer_settings_init(struct balancer_settings *ret_settings);
void balancer_settings_release(struct balancer_settings *settings);
/* Reads {"sockets", "bind", "retry_after"}, each as before when absent. 0 (the caller releases the copy made); -EINVAL with a sentence;
 * -ENOMEM. */
int balancer_settings_parse(const struct balancer_settings *before, const json_t *object, struct balancer_settings *ret_settings,
			    char ret_error[ERROR_TEXT]);
json_t *balancer_settings_format(const struct balancer_settings *settings);

/* The socket's parts: `*ret_port` 0 for a path. 0 or -EINVAL. */
int balancer_socket_parse(const char *text, char ret_address[HAPROXY_SOCKET_PATH_MOST + 1], uint16_t *ret_port);

struct haproxy_config {
	const struct group_list *groups;
	const struct balancer_settings *settings;
	const char *socket;     /* of the HAProxy that reads this */
	const char *key;        /* HAPROXY_KEY_SIZE digits: cookies of all HAProxies agree by it */
	bool privileged;        /* started by root: it drops its rights */
};

/* A whole haproxy.cfg; the caller frees it. 0 or -ENOMEM. */
int haproxy_config_print(const struct haproxy_config *config, char **ret_text);

#endif
