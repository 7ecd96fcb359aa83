/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets to listen on. */
#ifndef CONTROL_LISTENER_H
#define CONTROL_LISTENER_H

/* Listens on TCP. `address` is numeric; NULL: every address of the machine, IPv6 and IPv4. `option` is the name of the
 * option that chooses another port, for the message. A descriptor, or -errno with the cause logged. */
int listen_tcp(const char *address, unsigned port, const char *option);

/* Listens on a Unix socket of mode 0600; replaces one that a dead daemon left. Only for the holder of the state's lock.
 * A descriptor, or -errno with the cause logged. */
int listen_unix(const char *path);

#endif
