// SPDX-License-Identifier: GPL-2.0-or-later
/* What people write about reimages; the first byte says what: a time, the public key of a report, a campaign or an exemption. What is taken
 * holds what its header promises, and a refusal is a line that can be printed. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/campaign.h"
#include "control/moment.h"
#include "control/report-signature.h"

#define NOW INT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_print(const char *why)
{
	if (!why[0] || !text_printable(why, strlen(why)))
		abort();
}

static void try_moment(const char *text, bool past)
{
	char why[ERROR_TEXT] = "";
	int64_t at = 0;

	if (moment_parse(text, NOW, past, &at, why) < 0)
		must_print(why);
	else if (at < 0)
		abort();
}

static void try_key(const char *text)
{
	uint8_t key[REPORT_KEY_SIZE], again[REPORT_KEY_SIZE];
	struct buffer pem = { 0 };
	char why[ERROR_TEXT] = "";

	if (report_key_parse(text, key, why) < 0) {
		must_print(why);
		return;
	}
	if (report_key_format(key, &pem) < 0 || report_key_parse((const char *)pem.data, again, why) < 0 || memcmp(key, again, sizeof key))
		abort();
	buffer_release(&pem);
}

static void try_campaign(const json_t *body)
{
	struct campaign campaign, again;
	char why[ERROR_TEXT] = "";
	json_t *stored;

	if (campaign_parse(body, "anna", NOW, &campaign, why) < 0) {
		must_print(why);
		return;
	}
	stored = campaign_format(&campaign);
	if (!stored || campaign_read(stored, &again) < 0 || campaign.deadline <= NOW || again.deadline != campaign.deadline)
		abort();
	campaign_release(&again);
	campaign_release(&campaign);
	json_decref(stored);
}

static void try_exemption(const json_t *body)
{
	struct exemption exemption;
	char why[ERROR_TEXT] = "";

	if (exemption_parse(body, NOW, &exemption, why) < 0)
		must_print(why);
	else if (exemption.until <= NOW || exemption.until > NOW + EXEMPTION_SECONDS_MOST || !exemption.reason[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[160], *text;
	json_t *body;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	body = json_parse(data + 1, size - 1, error);
	switch (data[0]) {
	case 't':
	case 'p':
		try_moment(text, data[0] == 'p');
		break;
	case 'k':
		try_key(text);
		break;
	default:
		if (body)
			try_campaign(body);
		if (body)
			try_exemption(body);
	}
	json_decref(body);
	free(text);
	return 0;
}
