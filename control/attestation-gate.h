/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that decides who gets secrets: the key of H:, and whatever else a group's servers alone may know. */
#ifndef CONTROL_ATTESTATION_GATE_H
#define CONTROL_ATTESTATION_GATE_H

#include "control/control.h"

/* Whether the answer to this boot question may hold some. Within control_lock. */
bool attestation_allows_secrets(const struct control *control, const struct node *node, const struct boot_request *request);

#endif
