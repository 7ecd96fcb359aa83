/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of `repave` share. */
#ifndef CONTROL_CLI_H
#define CONTROL_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/complete.h"

enum cli_status { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3, CLI_TIMEOUT = 4 };

struct cli {
	const char *command; /* as typed: "node show" */
	const char *state;   /* state folder, whose socket is called when there is no server */
	const char *server;  /* "https://host:port", or NULL */
	const char *token_file, *ca; /* for it; `ca` may be NULL: ca.pem beside the token's file */
	bool json;           /* machines read the answer */
};

/* Calls the control unit over its socket, or its operator's port. `body` may be NULL. CLI_OK with a new reference in `ret_answer`; otherwise the
 * cause was printed. */
int cli_call(const struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret_answer);
/* "/v1/nodes/NODE" + rest in a malloc'd text; NULL after printing why `node` can't be one. */
char *cli_node_path(const struct cli *cli, const char *node, const char *rest);

/* Prints one line on stderr that names the next step, and returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints JSON for machines. Returns CLI_OK or CLI_FAILED. */
int cli_print_json(const json_t *value);
/* A member as text; "-" when absent or null. Never has control characters; valid until the answer is freed. */
const char *cli_text(const json_t *object, const char *key);
/* Local time to the second; "-" for none. */
const char *cli_time(const json_t *object, const char *key, char ret_text[32]);
const char *cli_size(const json_t *object, const char *key, char ret_text[16]);

#define CLI_COLUMNS_MOST 14
/* Rows of texts (copied), printed in columns as wide as they must be. */
struct cli_table {
	size_t columns, rows, room;
	char **cells;
};
/* Adds a row of table->columns texts. Ends the program when memory runs out. */
void cli_table_add(struct cli_table *table, const char *const cells[]);
/* Prints it and frees it. */
void cli_table_print(struct cli_table *table);

/* Gives the node's agent an order and waits for its end, `seconds` (1 or more) at most; `arguments` is taken over. CLI_OK without a word when it
 * was done, else what came of it is printed. */
int cli_order(const struct cli *cli, const char *node, const char *action, json_t *arguments, uint64_t seconds);

/* Commands: arguments after the command's name; each returns an enum cli_status. */
int cli_init(const struct cli *cli, int argc, char *argv[]);
int cli_backup(const struct cli *cli, int argc, char *argv[]);
int cli_restore(const struct cli *cli, int argc, char *argv[]);
int cli_nodes(const struct cli *cli, int argc, char *argv[]);
int cli_node_show(const struct cli *cli, int argc, char *argv[]);
int cli_node_watch(const struct cli *cli, int argc, char *argv[]);
int cli_assign(const struct cli *cli, int argc, char *argv[]);
int cli_default(const struct cli *cli, int argc, char *argv[]);
int cli_images(const struct cli *cli, int argc, char *argv[]);
int cli_show_status(const struct cli *cli, int argc, char *argv[]);
int cli_node_logs(const struct cli *cli, int argc, char *argv[]);
int cli_node_list(const struct cli *cli, int argc, char *argv[]);
int cli_node_approve(const struct cli *cli, int argc, char *argv[]);
int cli_node_remove(const struct cli *cli, int argc, char *argv[]);
int cli_node_reject(const struct cli *cli, int argc, char *argv[]);
int cli_node_allow(const struct cli *cli, int argc, char *argv[]);
int cli_node_power(const struct cli *cli, int argc, char *argv[]);
int cli_token_create(const struct cli *cli, int argc, char *argv[]);
int cli_token_list(const struct cli *cli, int argc, char *argv[]);
int cli_token_revoke(const struct cli *cli, int argc, char *argv[]);
int cli_operator_add(const struct cli *cli, int argc, char *argv[]);
int cli_operator_list(const struct cli *cli, int argc, char *argv[]);
int cli_operator_remove(const struct cli *cli, int argc, char *argv[]);
int cli_node_notice(const struct cli *cli, int argc, char *argv[]);
int cli_node_logout(const struct cli *cli, int argc, char *argv[]);
int cli_node_run(const struct cli *cli, int argc, char *argv[]);
int cli_node_orders(const struct cli *cli, int argc, char *argv[]);
int cli_settings(const struct cli *cli, int argc, char *argv[]);
int cli_decisions(const struct cli *cli, int argc, char *argv[]);
int cli_decide_replay(const struct cli *cli, int argc, char *argv[]);
int cli_rules_show(const struct cli *cli, int argc, char *argv[]);
int cli_rules_check(const struct cli *cli, int argc, char *argv[]);
int cli_rules_explain(const struct cli *cli, int argc, char *argv[]);
int cli_rules_dry_run(const struct cli *cli, int argc, char *argv[]);
int cli_group_clear(const struct cli *cli, int argc, char *argv[]);
int cli_audit_list(const struct cli *cli, int argc, char *argv[]);
int cli_apply(const struct cli *cli, int argc, char *argv[]);
int cli_fleet_export(const struct cli *cli, int argc, char *argv[]);
int cli_group_list(const struct cli *cli, int argc, char *argv[]);
int cli_group_deny(const struct cli *cli, int argc, char *argv[]);
int cli_group_admit(const struct cli *cli, int argc, char *argv[]);
int cli_balancer_show(const struct cli *cli, int argc, char *argv[]);
int cli_balancer_config(const struct cli *cli, int argc, char *argv[]);
int cli_balancer_set(const struct cli *cli, int argc, char *argv[]);
int cli_node_reboot(const struct cli *cli, int argc, char *argv[]);
int cli_node_reimage(const struct cli *cli, int argc, char *argv[]);
int cli_node_release(const struct cli *cli, int argc, char *argv[]);
int cli_node_urgency(const struct cli *cli, int argc, char *argv[]);
int cli_node_cancel(const struct cli *cli, int argc, char *argv[]);
int cli_node_quarantine(const struct cli *cli, int argc, char *argv[]);
int cli_node_maintenance(const struct cli *cli, int argc, char *argv[]);
int cli_node_clear(const struct cli *cli, int argc, char *argv[]);
int cli_node_alarm(const struct cli *cli, int argc, char *argv[]);
int cli_node_evidence(const struct cli *cli, int argc, char *argv[]);
int cli_node_cut(const struct cli *cli, int argc, char *argv[]);
int cli_restart_list(const struct cli *cli, int argc, char *argv[]);
int cli_restart_show(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_plan(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_start(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_status(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_stop(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_resume(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_list(const struct cli *cli, int argc, char *argv[]);
int cli_reimage_exempt(const struct cli *cli, int argc, char *argv[]);
int cli_report_reimage(const struct cli *cli, int argc, char *argv[]);
int cli_report_key(const struct cli *cli, int argc, char *argv[]);
int cli_report_verify(const struct cli *cli, int argc, char *argv[]);
int cli_event_list(const struct cli *cli, int argc, char *argv[]);
int cli_tpm_list(const struct cli *cli, int argc, char *argv[]);
int cli_tpm_allow(const struct cli *cli, int argc, char *argv[]);
int cli_tpm_accept(const struct cli *cli, int argc, char *argv[]);
int cli_tpm_ca(const struct cli *cli, int argc, char *argv[]);
int cli_tpm_expect(const struct cli *cli, int argc, char *argv[]);
int cli_monitor_create(const struct cli *cli, int argc, char *argv[]);
int cli_monitor_list(const struct cli *cli, int argc, char *argv[]);
int cli_monitor_revoke(const struct cli *cli, int argc, char *argv[]);
int cli_node_monitor(const struct cli *cli, int argc, char *argv[]);
int cli_event_add(const struct cli *cli, int argc, char *argv[]);
int cli_event_planned(const struct cli *cli, int argc, char *argv[]);
int cli_event_remove(const struct cli *cli, int argc, char *argv[]);
int cli_node_request(const struct cli *cli, int argc, char *argv[]);
int cli_hint_add(const struct cli *cli, int argc, char *argv[]);
int cli_hint_list(const struct cli *cli, int argc, char *argv[]);
int cli_hint_remove(const struct cli *cli, int argc, char *argv[]);
int cli_alloc(const struct cli *cli, int argc, char *argv[]);
int cli_release(const struct cli *cli, int argc, char *argv[]);
int cli_move(const struct cli *cli, int argc, char *argv[]);
int cli_notify_list(const struct cli *cli, int argc, char *argv[]);
int cli_notify_test(const struct cli *cli, int argc, char *argv[]);
int cli_notify_spool(const struct cli *cli, int argc, char *argv[]);
int cli_notify_retry(const struct cli *cli, int argc, char *argv[]);
int cli_notify_drop(const struct cli *cli, int argc, char *argv[]);
int cli_completion(const struct cli *cli, int argc, char *argv[]);
int cli_netboot_config(const struct cli *cli, int argc, char *argv[]);

/* Prints what may stand in place of the last argument, for a shell. Errors print nothing that a shell would take. */
int cli_complete(const struct cli *cli, const struct command_text *commands, size_t count, int argc, char *argv[]);

#endif
