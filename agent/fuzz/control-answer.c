/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit answers, through the state of the channel: no order is begun twice, none after its time, and what is told is
 * bounded. The same input is read as a state file, too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/addresses.h"
#include "agent/channel.h"
#include "agent/report.h"

#define NOW 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_status(struct channel *channel)
{
	static struct measures measures;
	char *text = status_format(channel, channel_status_begin(channel), &measures, NULL, "");

	if (text == NULL || strlen(text) >= STATUS_BYTES_MOST)
		abort();
	free(text);
}

/* The file stays one that the next connection can be made by, with the control unit in it. */
static void check_monitor(const char *line)
{
	static struct address addresses[ADDRESSES_MOST];
	struct buffer text = { 0 };
	size_t count;

	if (addresses_prefer("10.0.0.1 8443\n", line, &text) == 0 &&
	    (addresses_parse((const char *)text.data, addresses, &count) < 0 || count != 2 || strcmp(addresses[0].name, CONTROL_NAME) == 0 ||
	     strcmp(addresses[1].host, "10.0.0.1") != 0))
		abort();
	buffer_release(&text);
}

static void take_twice(const uint8_t *data, size_t size)
{
	static struct channel channel;
	static struct control_answer answer;
	static struct order order;
	uint64_t begun[ORDERS_MOST] = { 0 };
	size_t count = 0;
	char error[160];

	channel_init(&channel, "", 1);
	for (int turn = 0; turn < 2; turn++) {
		if (control_answer_parse(data, size, &answer, error) < 0)
			return;
		check_monitor(answer.monitor);
		channel_status_answered(&channel, &answer);
		while (channel_begin_order(&channel, NOW, &order)) {
			for (size_t i = 0; i < count; i++)
				if (begun[i] == order.number)
					abort();
			if (order.expires <= NOW || order.action == ACTION_INVALID || count == ORDERS_MOST)
				abort();
			begun[count++] = order.number;
			channel_end_order(&channel, order.number, RESULT_DONE, order.text);
		}
		check_status(&channel);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct channel channel;
	char *text;

	take_twice(data, size);
	channel_init(&channel, "", 1);
	if (channel_state_parse(&channel, data, size) == 0) {
		text = channel_state_format(&channel);
		channel_init(&channel, "", 1);
		if (text == NULL || channel_state_parse(&channel, text, strlen(text)) < 0)
			abort();
		free(text);
	}
	check_status(&channel);
	return 0;
}
