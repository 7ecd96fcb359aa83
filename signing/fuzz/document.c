/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/fuzz/document.h"

#include <stdlib.h>
#include <string.h>

#include "signing/canonical.h"

/* Signers counted twice, whoever they are, can't be more than there are key ids or signatures. */
static void check_signers(const struct tuf_document *document, const struct tuf_signers *signers)
{
	char error[TUF_ERROR_SIZE];
	uint64_t count;

	if (tuf_count_signatures(document, signers, &count) < 0)
		return;
	if (count > tree_count(signers->keyids) || count > tree_count(document->signatures))
		abort();
	if ((tuf_check_signatures(document, signers, error) == 0) != (count >= signers->threshold))
		abort();
	/* Keys whose text has no canonical form equal nothing, not even themselves. */
	(void)!tuf_signers_equal(signers, signers);
}

static void check_root(const struct tuf_document *root)
{
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		struct tuf_signers signers;

		tuf_root_signers(root, role, &signers);
		if (signers.threshold == 0)
			abort();
		check_signers(root, &signers);
	}
	tuf_root_consistent(root);
}

static void check_meta(const struct tuf_document *document, const uint8_t *data, size_t size)
{
	const char *needed = document->type == TUF_TIMESTAMP ? "snapshot.json" : "targets.json";
	struct tuf_file file;
	char error[TUF_ERROR_SIZE];

	if (tuf_file_of(document, needed, &file) < 0 || file.version == 0)
		abort();
	(void)!tuf_check_file(&file, data, size, error);
	if (tuf_check_snapshot_rollback(document, document, error) < 0)
		abort();
}

static void check_delegations(const struct tuf_document *targets)
{
	struct tree_steps steps = tuf_delegations_begin(targets);
	struct tuf_delegation delegation;

	while (tuf_delegations_next(targets, &steps, &delegation)) {
		char name[TUF_FILE_NAME_SIZE];

		if (!delegation.name[0] || delegation.signers.threshold == 0 ||
		    tree_is_none(delegation.paths) == tree_is_none(delegation.path_hash_prefixes))
			abort();
		tuf_delegation_covers(&delegation, "app/web/debian/1.0.img.zst");
		check_signers(targets, &delegation.signers);
		tuf_role_file_name(delegation.name, targets->version, name);
		if (strchr(name, '/') || name[strspn(name, "0123456789")] != '.')
			abort();
	}
}

static void check_targets(const struct tuf_document *targets, const uint8_t *data, size_t size)
{
	struct tree path, before = { 0 };
	struct tuf_file file, found;
	char error[TUF_ERROR_SIZE], *text;

	for (size_t i = 0; i < targets->count; i++) {
		tuf_target_at(targets, i, &path, &file);
		if (!file.has_length || tree_is_none(file.hashes) || (i > 0 && tree_compare(before, path) >= 0))
			abort();
		before = path;
		(void)!tuf_check_file(&file, data, size, error);
		if (tree_string_new(path, &text) < 0)
			continue;
		if (tuf_target_of(targets, text, &found) < 0 || found.length != file.length || found.hashes.text != file.hashes.text)
			abort();
		free(text);
	}
	check_delegations(targets);
}

int fuzz_document(enum tuf_type type, const uint8_t *data, size_t size)
{
	struct tuf_document document;
	struct buffer text = { 0 };
	char error[TUF_ERROR_SIZE], time[24];

	if (tuf_document_parse(type, data, size, &document, error) < 0) {
		if (!error[0] || !memchr(error, '\0', sizeof(error)))
			abort();
		return 0;
	}
	if (document.version == 0 || tuf_document_is_empty(&document))
		abort();
	tuf_time_format(document.expires, time);
	(void)!canonical_format(document.body, &text);
	if (type == TUF_ROOT)
		check_root(&document);
	else if (type == TUF_TARGETS)
		check_targets(&document, data, size);
	else
		check_meta(&document, data, size);
	buffer_release(&text);
	tuf_document_release(&document);
	return 0;
}
