/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a group asks of its servers' TPMs. Pure. */
#ifndef CONTROL_ATTEST_POLICY_H
#define CONTROL_ATTEST_POLICY_H

/* ATTEST_PREFERRED: who proves nothing gets its assignment, but no secrets. ATTEST_REQUIRED: nor that. */
enum attest_policy { ATTEST_OFF, ATTEST_PREFERRED, ATTEST_REQUIRED };

/* "off", "preferred", "required". */
const char *attest_policy_name(enum attest_policy policy);
/* 0 or -EINVAL. */
int attest_policy_parse(const char *text, enum attest_policy *ret_policy);

#endif
