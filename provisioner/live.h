/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the control unit how far an installation is, every few seconds and from a thread of its own: the download never waits for it. */
#ifndef PROVISIONER_LIVE_H
#define PROVISIONER_LIVE_H

#include <stdint.h>

#include "provisioner/install.h"

struct provision;
struct volume;

struct live;

/* Until live_end nobody else may use the way to the control unit, nor change what a report says (stages, notice, other volumes). NULL when
 * there is no thread to be had: then nothing is told. */
struct live *live_begin(struct provision *p, const struct volume *volume);
/* Takes note; cheap, from any thread. NULL is allowed. */
void live_show(struct live *live, enum install_phase phase, uint64_t done, uint64_t total);
/* Ends the thread, in about two seconds at most even when the control unit hangs. NULL is allowed. */
void live_end(struct live *live);

#endif
