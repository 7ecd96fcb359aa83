/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGENT_VERITY_H
#define AGENT_VERITY_H

/* Asks the device mapper how a verity device is: 'V' sound so far, 'C' corruption was seen; 0 when there is no such device, or it can't
 * be asked. */
char verity_ask(const char *name);

#endif
