/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How C: and D: are, of dm-verity. The kernel tells that to CAP_SYS_ADMIN only, which is nearly all of root. So a process of its own has it: as
 * "nobody", without any other right, and with one ioctl on one device (sandbox.h).
 *
 *   question   sequence, 'c' or 'd'            2 bytes, over a socket pair
 *   answer     sequence, 'c' or 'd', state     3 bytes */
#ifndef AGENT_VERITY_H
#define AGENT_VERITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct verity {
	pid_t process;    /* 0: none */
	int socket;
	uint8_t sequence;
};

/* Starts that process, which becomes `user` and ends with the caller; `mapper` is device-mapper's control device. To be called while this process
 * still has CAP_SYS_ADMIN. A system without the device has no such process, which is no error. 0 or -errno. */
int verity_start(struct verity *verity, const char *mapper, uid_t user);
/* Asks for slot 'c' or 'd': 'V' sound so far, 'C' corruption was seen; 0 when there is no such device, or it can't be asked. */
char verity_ask(struct verity *verity, char slot);
/* Whether it was started and is gone: nobody here has the right to start another one. */
bool verity_lost(struct verity *verity);
void verity_stop(struct verity *verity);

#endif
