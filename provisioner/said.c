/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this boot said, and what the kernel before it said last, for the control unit to keep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/tail.h"
#include "provisioner/provision.h"
#include "provisioner/pstore.h"

#define BODY_MOST (63u << 10) /* the control unit takes 64 KiB */

/* Escapes take room that the text doesn't show: it is cut from its beginning until the body fits. */
static char *log_body(const struct provision *p, const char *kind, const char *text, size_t size)
{
	char *body = NULL;

	for (; size > 0; text_halve(&text, &size)) {
		json_t *json = json_pack("{s:i,s:s,s:s,s:s%}", "format", 1, "nonce", p->nonce, "kind", kind, "text", text, size);

		body = json != NULL ? json_format(json) : NULL;
		json_decref(json);
		if (body == NULL || strlen(body) <= BODY_MOST)
			return body;
		free(body);
	}
	return NULL;
}

/* Whether it needn't be sent again: the control unit has it, or doesn't want it. Says nothing: a boot log about itself would never end. */
static bool send_log(struct provision *p, const char *kind, const char *text, size_t size)
{
	char *body = p->nonce[0] != '\0' ? log_body(p, kind, text, size) : NULL;
	struct buffer answer = { 0 };
	unsigned status = 0;
	char url[512];
	int r;

	if (body == NULL)
		return size == 0;
	node_url(p, "log", url);
	r = http_request(p->control, "POST", url, body, 4096, &status, &answer);
	buffer_release(&answer);
	free(body);
	return r == 0 && status < 500;
}

void send_boot_log(struct provision *p)
{
	size_t size;
	const char *text = console_said(&size);

	send_log(p, "boot", text, size);
}

bool send_last_words(struct provision *p)
{
	struct buffer words = { 0 };
	bool done = pstore_text(PSTORE_FOLDER, &words) < 0 || send_log(p, "crash", (const char *)words.data, words.size);

	buffer_release(&words);
	return done;
}
