/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers questions, one a line, for the script test `reference`. Bytes are in hexadecimal digits.
 *
 *   canonical TEXT           the canonical form, or "-"
 *   glob PATH PATTERN        1 or 0
 *   signed KEY MESSAGE SIG   1 or 0, or "-" when KEY (JSON) is no key; SIG is hexadecimal as in metadata */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "signing/canonical.h"
#include "signing/format.h"
#include "signing/verify-key.h"

/* malloc'd, with a NUL behind it; the program is too short to free anything. */
static char *bytes_of(const char *word, size_t *ret_size)
{
	size_t size = word ? strlen(word) / 2 : 0;
	char *bytes = calloc(size + 1, 1);

	if (!word || !bytes || hex_parse(word, (uint8_t *)bytes, size) < 0) {
		fprintf(stderr, "answer: not hexadecimal\n");
		exit(1);
	}
	*ret_size = size;
	return bytes;
}

static void answer_canonical(char **words)
{
	size_t size;
	char *text = bytes_of(words[0], &size), error[TREE_ERROR_SIZE], *digits;
	struct buffer form = { 0 };
	struct tree tree;

	if (tree_parse(text, size, &tree, error) < 0 || canonical_format(tree, &form) < 0) {
		puts("-");
		return;
	}
	digits = malloc(2 * form.size + 1);
	if (!digits)
		exit(1);
	hex_format(form.data, form.size, digits);
	puts(digits);
	free(digits);
	buffer_release(&form);
}

static void answer_glob(char **words)
{
	size_t size;
	const char *path = bytes_of(words[0], &size), *pattern = bytes_of(words[1], &size);

	puts(tuf_path_matches(path, pattern) ? "1" : "0");
}

static void answer_signed(char **words)
{
	size_t key_size, message_size, signature_size;
	char *key_text = bytes_of(words[0], &key_size), *data = bytes_of(words[1], &message_size), error[TREE_ERROR_SIZE];
	const char *signature_text = bytes_of(words[2], &signature_size);
	struct verify_message message;
	struct tree key_tree, signature;
	struct verify_key key;

	if (tree_parse(key_text, key_size, &key_tree, error) < 0 || tree_parse(signature_text, signature_size, &signature, error) < 0 ||
	    verify_key_parse(key_tree, &key) < 0) {
		puts("-");
		return;
	}
	verify_message_init(data, message_size, &message);
	puts(verify_key_check(&key, &message, signature) ? "1" : "0");
	verify_key_release(&key);
}

int main(void)
{
	char *line = NULL, *words[4];
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		/* NULL behind the last one. */
		for (size_t i = 0; i < 4; i++)
			words[i] = strsep(&rest, " ");
		if (strcmp(words[0], "canonical") == 0)
			answer_canonical(words + 1);
		else if (strcmp(words[0], "glob") == 0)
			answer_glob(words + 1);
		else
			answer_signed(words + 1);
	}
	free(line);
	return 0;
}
