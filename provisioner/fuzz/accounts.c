/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "provisioner/accounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is accepted gives no line more, and no colon, to passwd, and no option to a key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct accounts accounts;
	char error[SENTENCE], *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (accounts_parse(data, size, &accounts, error) == 0)
		for (size_t i = 0; i < accounts.count; i++) {
			const struct account *account = &accounts.items[i];

			if (strpbrk(account->name, ":\n/.") != NULL || !user_name_ok(account->name) || !user_id_ok(account->uid))
				abort();
			for (const char *line = (const char *)account->keys.data; line != NULL && *line != '\0';) {
				if (strncmp(line, "no-port-forwarding,", 19) != 0)
					abort();
				line = strchr(line, '\n') + 1;
			}
		}
	accounts_release(&accounts);
	accounts_taken(text, "anna", 20001);
	free(text);
	return 0;
}
