/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First byte: the type (as a digit or letter, modulo 4). The rest: metadata, checked by itself as far as it goes. */
#include <stdint.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "signing/canonical.h"
#include "signing/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tuf_document document;
	struct tuf_signers signers;
	struct tuf_file file;
	struct buffer text = { 0 };
	char error[TUF_ERROR_SIZE], time[24];
	enum tuf_type type;

	if (size < 1)
		return 0;
	type = (enum tuf_type)(data[0] % 4);
	if (tuf_document_parse(type, data + 1, size - 1, &document, error) < 0)
		return 0;
	if (document.version == 0)
		abort();
	tuf_time_format(document.expires, time);
	(void)!canonical_format(document.body, &text);
	if (type == TUF_ROOT) {
		for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
			tuf_root_signers(&document, role, &signers);
			(void)!tuf_check_signatures(&document, &signers, error);
			if (!tuf_signers_equal(&signers, &signers))
				abort();
		}
	} else if (type != TUF_TARGETS) {
		if (tuf_file_of(&document, type == TUF_TIMESTAMP ? "snapshot.json" : "targets.json", &file) < 0)
			abort();
		(void)!tuf_check_file(&file, data, size, error);
	}
	buffer_release(&text);
	tuf_document_release(&document);
	return 0;
}
