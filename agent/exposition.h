/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures in Prometheus's text format (0.0.4), and what is asked for them by HTTP. Pure. */
#ifndef AGENT_EXPOSITION_H
#define AGENT_EXPOSITION_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/report.h"

#define EXPOSITION_MOST 32768u      /* bytes of text */
#define METRICS_REQUEST_MOST 2048u  /* bytes up to the empty line */
#define METRICS_ADDRESS_MOST 80u

/* Writes the measures, taken at `time` (seconds since 1970). 0; -ENOSPC when there isn't room enough, and then nothing is to be used. */
int exposition_format(const struct measures *measures, int64_t time, char *ret_text, size_t room, size_t *ret_size);

/* The status that answers these bytes of a request: 200, 400, 404 or 405; 0 when more of them are needed. */
unsigned metrics_request(const char *request, size_t size);

/* "ADDRESS:PORT" or "[ADDRESS]:PORT", numeric, with or without a newline at its end. 0 or -EINVAL. */
int metrics_address(const char *text, size_t size, struct sockaddr_storage *ret_address, socklen_t *ret_size, uint16_t *ret_port);

#endif
