// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/attest-policy.h"

#include <errno.h>
#include <string.h>

const char *attest_policy_name(enum attest_policy policy)
{
	return policy == ATTEST_REQUIRED ? "required" : policy == ATTEST_PREFERRED ? "preferred" : "off";
}

int attest_policy_parse(const char *text, enum attest_policy *ret_policy)
{
	for (int policy = ATTEST_OFF; policy <= ATTEST_REQUIRED; policy++) {
		if (!strcmp(text, attest_policy_name((enum attest_policy)policy))) {
			*ret_policy = (enum attest_policy)policy;
			return 0;
		}
	}
	return -EINVAL;
}
