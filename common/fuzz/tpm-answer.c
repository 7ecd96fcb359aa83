/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first byte says which answer the TPM is asked for. */
#include <stdlib.h>

#include "common/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_fit(const struct tpm_bytes *bytes)
{
	if (bytes->size > sizeof(bytes->data))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t values[TPM_PCRS][TPM_DIGEST];
	struct tpm_bytes one = { 0 }, two = { 0 };
	struct tpm_answer answer;
	struct tpm_index index = { 0 };
	uint32_t word;

	if (size < 1 || tpm_answer_parse(data + 1, size - 1, &answer) < 0)
		return 0;
	switch (data[0]) {
	case 0: tpm_answer_pcrs(&answer, &word, values); break;
	case 1: tpm_answer_created(&answer, &word, &one); break;
	case 2: tpm_answer_public(&answer, &one); break;
	case 3: tpm_answer_session(&answer, &word); break;
	case 4: tpm_answer_activated(&answer, &one); break;
	case 5: tpm_answer_quote(&answer, &one, &two); break;
	case 6: tpm_answer_nv_public(&answer, &index); break;
	case 7: tpm_answer_nv_read(&answer, &one); break;
	default: break;
	}
	must_fit(&one);
	must_fit(&two);
	tpm_index_is_counter(&index);
	if (tpm_public_fits(&one, TPM_TEMPLATE_AK) && one.size < 80)
		abort();
	if (tpm_certificate_size(one.data, one.size) > one.size)
		abort();
	return 0;
}
