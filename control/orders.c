// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/holds.h"

static int take_stored(void *context, const char *node_id, struct order *order)
{
	struct control *control = context;
	struct node *node = fleet_get(control->fleet, node_id);
	struct order **end;

	if (!node) {
		order_free(order);
		return 0;
	}
	for (end = &node->orders; *end; end = &(*end)->next)
		;
	*end = order;
	return 0;
}

int orders_load(struct control *control)
{
	return store_each_order(control->store, take_stored, control);
}

/* ------------------------------------------------------------------ giving */

/* Numbers ascend. They begin at the time, so that they do after a restore from an older backup, too: an agent takes a number that it
 * knows for an order that it has carried out. 0 or -EIO. */
static int next_number(struct control *control, const struct node *node, int64_t now, uint64_t *ret_number)
{
	uint64_t last = 0;
	int r = store_last_order(control->store, node->id, &last);

	if (!r)
		*ret_number = now > 0 && (uint64_t)now > last ? (uint64_t)now : last + 1;
	return r;
}

static unsigned count(const struct node *node)
{
	unsigned n = 0;

	for (const struct order *o = node->orders; o; o = o->next)
		n++;
	return n;
}

static int add(struct control *control, struct node *node, struct order *order, int64_t now)
{
	struct order **end;
	int r = next_number(control, node, now, &order->number);

	if (!r)
		r = store_add_order(control->store, node->id, order, ORDERS_KEPT);
	if (r < 0)
		return r;
	for (end = &node->orders; *end; end = &(*end)->next)
		;
	*end = order;
	if (node->live && node->live->held)
		holds_wake(control->holds, node->live->held);
	return 0;
}

int orders_give(struct control *control, const char *node_id, const char *action, json_t *arguments, bool this_boot, int64_t expires,
		int64_t now, uint64_t *ret_number)
{
	struct node *node = fleet_get(control->fleet, node_id);
	struct order *order = calloc(1, sizeof *order);
	int r = 0;

	if (order)
		order->arguments = arguments ? arguments : json_object();
	else
		json_decref(arguments);
	if (!order || !order->arguments)
		r = -ENOMEM;
	else if (!node)
		r = -ENOENT;
	else if (count(node) >= ORDERS_OUTSTANDING_MOST)
		r = -EDQUOT;
	else if (this_boot && !node->channel.boot_id[0])
		r = -EAGAIN;
	if (!r) {
		snprintf(order->action, sizeof order->action, "%s", action);
		strcpy(order->boot_id, this_boot ? node->channel.boot_id : "");
		order->created = now;
		order->expires = expires;
		r = add(control, node, order, now);
	}
	if (r < 0) {
		order_free(order);
		return r;
	}
	*ret_number = order->number;
	return 0;
}

/* ------------------------------------------------------------------ how they end */

static struct order *find(const struct node *node, uint64_t number)
{
	struct order *order = node->orders;

	while (order && order->number != number)
		order = order->next;
	return order;
}

static void drop(struct node *node, const struct order *order)
{
	struct order **at = &node->orders, *next = order->next;

	while (*at != order)
		at = &(*at)->next;
	order_free(*at);
	*at = next;
}

/* Stores how one ended. 0 or -EIO. */
static int end_order(struct control *control, struct node *node, uint64_t number, enum order_state state, const char *text, int64_t now)
{
	const struct order *order = find(node, number);
	int r = store_end_order(control->store, node->id, number, state, text, now);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!r)
		log_info("node %s: order %llu is %s%s%s", node->id, (unsigned long long)number, order_state_name(state), text[0] ? ": " : "", text);
	if (order)
		drop(node, order);
	return 0;
}

int orders_answered(struct control *control, struct node *node, const struct order_answer *answer, int64_t now)
{
	static const enum order_state states[] = { [ORDER_RESULT_DONE] = ORDER_DONE, [ORDER_RESULT_FAILED] = ORDER_FAILED,
						   [ORDER_RESULT_REFUSED] = ORDER_REFUSED };

	return end_order(control, node, answer->number, states[answer->result], answer->text, now);
}

int orders_of_other_boots(struct control *control, struct node *node, const char *boot_id, int64_t now)
{
	int r = 0;

	for (struct order *order = node->orders, *next; !r && order; order = next) {
		next = order->next;
		if (order->boot_id[0] && strcmp(order->boot_id, boot_id))
			r = end_order(control, node, order->number, ORDER_VOID, "the server has started again since", now);
	}
	return r;
}

static bool is_over(const struct order *order, int64_t now)
{
	return now >= order->expires + (order->sent ? ORDER_LATE_SECONDS : 0);
}

int orders_expire(struct control *control, struct node *node, int64_t now)
{
	int r = 0;

	for (struct order *order = node->orders, *next; !r && order; order = next) {
		next = order->next;
		if (is_over(order, now))
			r = end_order(control, node, order->number, ORDER_EXPIRED,
				      order->sent ? "it was sent, and the agent didn't answer in time" : "the agent wasn't heard in time", now);
	}
	return r;
}

/* ------------------------------------------------------------------ sending */

bool orders_unsent(const struct node *node, int64_t now)
{
	for (const struct order *order = node->orders; order; order = order->next)
		if (!order->sent && order->expires > now)
			return true;
	return false;
}

bool orders_outstanding(const struct node *node, int64_t now)
{
	for (const struct order *order = node->orders; order; order = order->next)
		if (!is_over(order, now))
			return true;
	return false;
}

static json_t *format(const struct order *order)
{
	json_t *json = json_pack("{sI sI ss sO}", "order", (json_int_t)order->number, "expires", (json_int_t)order->expires, "action",
				 order->action, "arguments", order->arguments);

	if (json && order->boot_id[0])
		json_object_set_new(json, "boot_id", json_string(order->boot_id));
	return json;
}

void orders_tell_way(struct control *control, const struct node *node, const char *via, int64_t now)
{
	if (!via[0])
		return;
	for (const struct order *order = node->orders; order; order = order->next)
		if (!order->sent && order->expires > now)
			control_event(control, now, node->id, SEVERITY_INFO, "order",
				      json_pack("{sI ss ss}", "order", (json_int_t)order->number, "action", order->action, "monitor", via),
				      "order %llu (%s): control unit -> monitor %s -> agent", (unsigned long long)order->number, order->action,
				      via);
}

json_t *orders_send(struct node *node, int64_t now)
{
	json_t *list = json_array();

	for (struct order *order = node->orders; order && json_array_size(list) < ORDERS_IN_ANSWER; order = order->next) {
		/* One that was sent may have been begun: its answer is asked for as long as that counts. */
		if (order->sent ? is_over(order, now) : order->expires <= now)
			continue;
		if (json_array_append_new(list, format(order))) {
			json_decref(list);
			return NULL;
		}
		order->sent = true;
	}
	return list;
}

/* ------------------------------------------------------------------ looking */

int orders_list(struct control *control, const struct node *node, uint64_t number, unsigned most, json_t **ret_list)
{
	json_t *item;
	size_t i;
	int r = store_list_orders(control->store, node->id, number, most, ret_list);

	if (r < 0)
		return r;
	json_array_foreach(*ret_list, i, item) {
		const struct order *order = find(node, (uint64_t)json_integer_value(json_object_get(item, "order")));

		if (order && order->sent)
			json_object_set_new(item, "state", json_string(order_state_name(ORDER_SENT)));
	}
	return 0;
}

int orders_state(struct control *control, const char *node_id, uint64_t number, enum order_state *ret_state, char ret_text[ERROR_TEXT])
{
	const struct node *node = fleet_get(control->fleet, node_id);
	const char *state;
	json_t *list = NULL;
	int r = node ? orders_list(control, node, number, 1, &list) : -ENOENT;

	if (r < 0)
		return r;
	state = json_get_string(json_array_get(list, 0), "state");
	if (!state)
		r = -ENOENT;
	else if (order_state_parse(state, ret_state) < 0)
		r = -EIO;
	else
		snprintf(ret_text, ERROR_TEXT, "%s", json_get_string(json_array_get(list, 0), "text"));
	json_decref(list);
	return r;
}
