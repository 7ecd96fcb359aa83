/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operators' calls about TPMs: "TPMs" of docs/openapi.yaml. All within control_enter. */
#ifndef CONTROL_OPERATOR_TPM_H
#define CONTROL_OPERATOR_TPM_H

#include "control/control.h"

void operator_list_trust(struct control *control, struct http_answer *answer);
void operator_add_authorities(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_add_revocations(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_allow_tpm(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_add_expected(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
/* `kind` is one of control/store-attest.h; `name` the first digits of it. */
void operator_remove_trust(struct control *control, const char *kind, const char *name, struct http_answer *answer);
void operator_accept_firmware(struct control *control, const char *node, int64_t now, struct http_answer *answer);

#endif
