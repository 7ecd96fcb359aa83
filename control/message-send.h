/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends one message: by HTTPS, the machine's sendmail, or a program. May take as long as the target's timeout says. */
#ifndef CONTROL_MESSAGE_SEND_H
#define CONTROL_MESSAGE_SEND_H

#include <stdatomic.h>

#include "control/messages.h"

#define MESSAGE_SENDMAIL "/usr/sbin/sendmail"
#define MESSAGE_ID_HEADER "Repave-Message"
#define MESSAGE_SIGNATURE_HEADER "Repave-Signature"
#define MESSAGE_ERROR_MOST 200u

/* 0 when the other side took it; -ECANCELED when `ending` became true; else -errno with why, printable and without secrets. From any thread. */
int message_send(const struct message_target *target, const char *id, const json_t *facts, const atomic_bool *ending,
		 char ret_error[MESSAGE_ERROR_MOST + 1]);

#endif
