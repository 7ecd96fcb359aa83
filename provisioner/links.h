/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROVISIONER_LINKS_H
#define PROVISIONER_LINKS_H

/* Takes every network interface down, before the jump: hardware that still writes packets that arrive, to memory that is another
 * kernel's by then, or keeps a processor of this one busy on its way out. Best effort. */
void links_down(void);

#endif
