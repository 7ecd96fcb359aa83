// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that show: nodes, node show, images, status. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/cli.h"

#define SHORT_ID 8

static int no_arguments(const struct cli *cli, int argc, char *argv[])
{
	return argc ? cli_usage(cli, "unknown argument \"%s\"", argv[0]) : CLI_OK;
}

/* GETs a list that stands in the answer under `key`. The caller frees `ret_answer`. */
static int get_list(const struct cli *cli, const char *path, const char *key, json_t **ret_answer, json_t **ret_list)
{
	int r = cli_call(cli, "GET", path, NULL, ret_answer);

	if (r != CLI_OK)
		return r;
	*ret_list = json_get_array(*ret_answer, key);
	if (cli->json) {
		r = cli_print_json(*ret_list);
		json_decref(*ret_answer);
		*ret_answer = NULL;
	}
	return r;
}

/* "booting (fetch-c)", "failed (disk)", "waiting". */
static const char *state_of(const json_t *node, char ret_text[64])
{
	const char *state = cli_text(node, "state"), *stage = cli_text(node, "stage");
	bool with_stage = (!strcmp(state, "booting") || !strcmp(state, "failed")) && strcmp(stage, "-");

	snprintf(ret_text, 64, with_stage ? "%.20s (%.32s)" : "%.20s%.0s", state, stage);
	return ret_text;
}

/* "3 d 4:05:06" */
static const char *duration(double seconds, char ret_text[40])
{
	long long all = (long long)seconds;

	if (all >= 86400)
		snprintf(ret_text, 40, "%lld d %lld:%02lld:%02lld", all / 86400, all / 3600 % 24, all / 60 % 60, all % 60);
	else
		snprintf(ret_text, 40, "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
	return ret_text;
}

static double real_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* How long its service takes to answer the control unit. */
static const char *answers_of(const json_t *node, char ret_text[24])
{
	const json_t *probe = json_object_get(node, "probe");

	if (!json_is_object(probe))
		return "-";
	if (!json_is_true(json_object_get(probe, "ok")))
		return "NO";
	snprintf(ret_text, 24, "%.1f ms", real_of(probe, "milliseconds"));
	return ret_text;
}

/* Why a node doesn't serve, where somebody may have to do something about it. */
static const char *reason_of(const json_t *node)
{
	static const char *const lives[] = { "suspect", "failed", "quarantined", "maintenance" };

	for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++)
		if (!strcmp(cli_text(node, "life"), lives[i]))
			return cli_text(node, "life_reason");
	return "-";
}

/* What its TPM proved; "-" where nobody asks, and it proved nothing. */
static const char *attestation_of(const json_t *node)
{
	const json_t *attestation = json_object_get(node, "attestation");
	const char *level = cli_text(attestation, "level");

	if (!strcmp(level, "failed"))
		return "FAILED";
	return !strcmp(level, "unattested") && !strcmp(cli_text(attestation, "policy"), "off") ? "-" : level;
}

static bool any_attestation(const json_t *nodes)
{
	const json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node)
		if (strcmp(attestation_of(node), "-"))
			return true;
	return false;
}

int cli_nodes(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { 0 };
	json_t *answer = NULL, *nodes, *node;
	char state[64], when[32], up[40], users[24], load[24], answers[24];
	bool attests;
	size_t i;
	int r = no_arguments(cli, argc, argv);

	if (r == CLI_OK)
		r = get_list(cli, "/v1/nodes", "nodes", &answer, &nodes);
	if (r != CLI_OK || !answer)
		return r;
	if (json_array_size(nodes) == 0) {
		puts("No node has asked to boot yet.");
		json_decref(answer);
		return CLI_OK;
	}
	/* One of the columns is for fleets in which somebody asks for it. */
	attests = any_attestation(nodes);
	table.columns = attests ? 14 : 13;
	cli_table_add(&table, (const char *[]){ "NODE", "NAME", "OS", "APPLICATION", "BOOT", "LIFE", "UP", "USERS", "LOAD", "ANSWERS", "LAST BOOT",
						"ADDRESS", attests ? "ATTESTATION" : "REASON", "REASON" });
	json_array_foreach(nodes, i, node) {
		const json_t *agent = json_object_get(node, "agent");
		/* What isn't fresh would pass for the present. */
		bool known = json_is_true(json_object_get(agent, "fresh"));

		snprintf(users, sizeof users, "%lld", (long long)json_integer_value(json_object_get(agent, "users")));
		snprintf(load, sizeof load, "%.2f", real_of(agent, "load"));
		cli_table_add(&table, (const char *[]){ cli_text(node, "id"), cli_text(node, "name"), cli_text(node, "os"),
							cli_text(node, "app"), state_of(node, state), cli_text(node, "life"),
							known ? duration(real_of(agent, "uptime"), up) : "-", known ? users : "-",
							known ? load : "-", answers_of(node, answers), cli_time(node, "booted_at", when), cli_text(node, "address"),
							attests ? attestation_of(node) : reason_of(node), reason_of(node) });
	}
	cli_table_print(&table);
	json_decref(answer);
	return CLI_OK;
}

static void print_inventory(const json_t *inventory)
{
	char text[16];
	json_t *item;
	size_t i;

	printf("  machine      %s %s, serial %s\n", cli_text(inventory, "vendor"), cli_text(inventory, "product"),
	       cli_text(inventory, "serial"));
	printf("  memory       %s, %lld CPU(s), firmware %s\n", cli_size(inventory, "memory_bytes", text),
	       (long long)json_integer_value(json_object_get(inventory, "cpus")), cli_text(inventory, "firmware"));
	printf("  network     ");
	json_array_foreach(json_get_array(inventory, "macs"), i, item)
		printf(" %s", json_string_value(item));
	printf("\n  disks       ");
	json_array_foreach(json_get_array(inventory, "disks"), i, item)
		printf("%s %s (%s)", i ? "," : "", cli_text(item, "name"), cli_size(item, "size_bytes", text));
	puts(json_array_size(json_get_array(inventory, "disks")) ? "" : " none");
}

static void print_agent(const json_t *agent)
{
	const json_t *verity = json_object_get(agent, "verity"), *sessions = json_object_get(agent, "sessions");
	char uptime[40], available[16], total[16];

	if (!json_is_object(agent)) {
		puts("  agent        not heard in this boot");
		return;
	}
	printf("  agent        heard %.1f s ago%s, up %s, %lld user(s)%s\n", real_of(agent, "age"),
	       json_is_true(json_object_get(agent, "fresh")) ? "" : " (STALE)", duration(real_of(agent, "uptime"), uptime),
	       (long long)json_integer_value(json_object_get(agent, "users")), json_is_true(json_object_get(agent, "draining")) ? ", drains" : "");
	printf("  heard by     %s%s\n", json_is_string(json_object_get(agent, "monitor")) ? "monitor " : "no monitor: directly",
	       json_is_string(json_object_get(agent, "monitor")) ? cli_text(agent, "monitor") : "");
	printf("  load         %.2f, CPU %.0f%%, memory %s of %s free\n", real_of(agent, "load"), real_of(agent, "busy") * 100,
	       cli_size(agent, "memory_available", available), cli_size(agent, "memory_total", total));
	printf("  application  %s", cli_text(agent, "health"));
	if (json_is_number(json_object_get(agent, "health_milliseconds")))
		printf(" (%.1f ms)", real_of(agent, "health_milliseconds"));
	if (json_is_integer(sessions))
		printf(", %lld session(s)", (long long)json_integer_value(sessions));
	printf("; verity C: %s, D: %s\n", cli_text(verity, "c"), cli_text(verity, "d"));
}

/* The same service as two others see it. */
static void print_outside(const json_t *balancer, const json_t *probe)
{
	if (json_is_object(probe) && json_is_true(json_object_get(probe, "ok")))
		printf("  from here    it answers (%.1f ms), %.1f s ago\n", real_of(probe, "milliseconds"), real_of(probe, "age"));
	else if (json_is_object(probe))
		printf("  from here    NO ANSWER (%s), %lld in a row, %.1f s ago%s\n", cli_text(probe, "error"),
		       (long long)json_integer_value(json_object_get(probe, "failures")), real_of(probe, "age"),
		       json_is_true(json_object_get(probe, "differs")) ? "; its agent says it is healthy: network or firewall?" : "");
	if (json_is_object(balancer))
		printf("  balancer     %s (%s wanted), check %s %s, %lld session(s), %lld ms, %lld s ago\n", cli_text(balancer, "state"),
		       cli_text(balancer, "want"), json_is_true(json_object_get(balancer, "up")) ? "up" : "DOWN", cli_text(balancer, "check"),
		       (long long)json_integer_value(json_object_get(balancer, "sessions")),
		       (long long)json_integer_value(json_object_get(balancer, "response_ms")),
		       (long long)json_integer_value(json_object_get(balancer, "seconds")));
}

static void print_life(const json_t *node)
{
	char since[32];

	printf("  life         %s since %s: %s\n", cli_text(node, "life"), cli_time(node, "life_since", since), cli_text(node, "life_reason"));
}

static void print_identity(const json_t *identity)
{
	char issued[32];

	if (!json_is_object(identity))
		puts("  identity     none; it has to enrol");
	else
		printf("  identity     key %.12s since %s (%s)%s\n", cli_text(identity, "key"), cli_time(identity, "issued", issued),
		       cli_text(identity, "way"), json_is_true(json_object_get(identity, "agent")) ? ", its agent has a credential" : "");
}

/* What it proved by its TPM. */
static void print_attestation(const json_t *attestation)
{
	const json_t *expected = json_object_get(attestation, "expected");
	char when[32];

	printf("  attestation  %s (%s)", cli_text(attestation, "level"), cli_text(attestation, "policy"));
	if (json_is_integer(json_object_get(attestation, "at")))
		printf(" since %s, by its %s", cli_time(attestation, "at", when),
		       !strcmp(cli_text(attestation, "stage"), "system") ? "running system" : "stage 1");
	printf(": %s\n", cli_text(attestation, "text"));
	if (json_is_string(json_object_get(attestation, "ek")))
		printf("  TPM          EK %.16s (%s), AK %.16s, boot image %s %s\n", cli_text(attestation, "ek"), cli_text(attestation, "ek_by"),
		       cli_text(attestation, "ak"), cli_text(expected, "name"), cli_text(expected, "version"));
	else if (json_is_string(json_object_get(attestation, "ek_offered")))
		printf("  TPM          it showed EK %s\n", cli_text(attestation, "ek_offered"));
}

/* Only what marks have told: starts of older images, and without a disk, aren't in these counts. */
static void print_starts(const json_t *starts)
{
	static const char *const ways[] = { "kexec", "reset" };

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		const json_t *way = json_object_get(starts, ways[i]);
		long long arrived = json_integer_value(json_object_get(way, "arrived"));
		long long lost = json_integer_value(json_object_get(way, "lost"));

		if (arrived + lost > 0)
			printf("  by %-9s %lld start(s) arrived, %lld didn't (%lld since the last one that did)\n", ways[i], arrived,
			       lost, (long long)json_integer_value(json_object_get(way, "lost_in_row")));
	}
}

static void print_assignment(const json_t *assignment)
{
	const json_t *config = json_get_object(assignment, "config");
	json_t *files = json_get_object(config, "file_sizes"), *size, *mirror, *user;
	const char *name;
	size_t i;

	if (!assignment) {
		puts("Assignment: none; `repave assign` gives one");
		return;
	}
	printf("Assignment %lld\n", (long long)json_integer_value(json_object_get(assignment, "number")));
	printf("  OS           %s (%s)\n", cli_text(assignment, "os"), cli_text(assignment, "os_target"));
	printf("  application  %s (%s)\n", cli_text(assignment, "app"), cli_text(assignment, "app_target"));
	printf("  H:           %s\n", cli_text(assignment, "h"));
	printf("  start        %s\n", cli_text(assignment, "start"));
	printf("  verify       %s\n", cli_text(assignment, "verify"));
	json_array_foreach(json_get_array(assignment, "mirrors"), i, mirror)
		printf("  mirror       %s\n", json_string_value(mirror));
	printf("  host name    %s, %lld SSH key(s)%s\n", cli_text(config, "hostname"),
	       (long long)json_integer_value(json_object_get(config, "ssh_authorized_keys")),
	       json_is_true(json_object_get(assignment, "wipe")) ? ", may wipe its disk at the next boot" : "");
	json_array_foreach(json_get_array(config, "users"), i, user)
		printf("  user         %s (%lld), %lld SSH key(s)\n", cli_text(user, "name"), (long long)json_integer_value(json_object_get(user, "uid")),
		       (long long)json_integer_value(json_object_get(user, "keys")));
	json_object_foreach(files, name, size)
		printf("  file         %s (%lld bytes)\n", name, (long long)json_integer_value(size));
}

static void print_repair(const json_t *image, long long repaired)
{
	json_t *range;
	size_t i;

	printf("  %.12s: %lld blocks had changed on the disk since the image was complete, and were repaired", cli_text(image, "slot"),
	       repaired);
	json_array_foreach(json_get_array(image, "changed"), i, range) {
		long long first = json_integer_value(json_array_get(range, 0)), last = json_integer_value(json_array_get(range, 1));

		printf("%s%lld", i == 0 ? ": " : ", ", first);
		if (last > first)
			printf("-%lld", last);
	}
	putchar('\n');
}

/* Each stage with the time at which it began, counted from the kernel's start. */
static void print_stages(const json_t *stages)
{
	double at = 0;
	json_t *stage;
	size_t i;

	if (json_array_size(stages) == 0)
		return;
	puts("  STAGE          BEGAN AT        TOOK");
	json_array_foreach(stages, i, stage) {
		double seconds = json_number_value(json_object_get(stage, "seconds"));

		printf("  %-12s %8.2f s  %8.2f s\n", cli_text(stage, "name"), at, seconds);
		at += seconds;
	}
	printf("  %-12s %8.2f s\n", "in all", at);
}

static void print_boot(const json_t *boot)
{
	struct cli_table table = { .columns = 7 };
	char when[32], numbers[4][24], wire[16];
	static const char *const counts[] = { "blocks", "kept", "copied", "fetched" };
	json_t *item;
	size_t i;

	if (!json_is_object(boot)) {
		puts("Last boot: none");
		return;
	}
	printf("Last boot %s: %s in stage %s (assignment %lld)\n", cli_time(boot, "started", when), cli_text(boot, "event"),
	       cli_text(boot, "stage"), (long long)json_integer_value(json_object_get(boot, "assignment")));
	if (json_is_string(json_object_get(boot, "error")))
		printf("  error        %s\n", cli_text(boot, "error"));
	print_stages(json_get_array(boot, "stages"));
	if (json_array_size(json_get_array(boot, "images")) == 0)
		return;
	cli_table_add(&table, (const char *[]){ "  SLOT", "IMAGE", "BLOCKS", "KEPT", "COPIED", "FETCHED", "ON THE WIRE" });
	json_array_foreach(json_get_array(boot, "images"), i, item) {
		char slot[16];

		snprintf(slot, sizeof slot, "  %.12s", cli_text(item, "slot"));
		for (size_t n = 0; n < 4; n++)
			snprintf(numbers[n], sizeof numbers[n], "%lld",
				 (long long)json_integer_value(json_object_get(item, counts[n])));
		cli_table_add(&table, (const char *[]){ slot, cli_text(item, "target"), numbers[0], numbers[1], numbers[2],
							numbers[3], cli_size(item, "wire_bytes", wire) });
	}
	cli_table_print(&table);
	json_array_foreach(json_get_array(boot, "images"), i, item) {
		long long patch = json_integer_value(json_object_get(item, "patch_bytes"));
		long long repaired = json_integer_value(json_object_get(item, "repaired"));

		if (patch > 0)
			printf("  %.12s: %s came as a patch\n", cli_text(item, "slot"), cli_size(item, "patch_bytes", wire));
		if (repaired > 0)
			print_repair(item, repaired);
	}
}

int cli_node_show(const struct cli *cli, int argc, char *argv[])
{
	char *path, state[64], seen[32], enrolled[32];
	json_t *node = NULL;
	int r;

	if (argc != 1)
		return cli_usage(cli, "name one node");
	path = cli_node_path(cli, argv[0], "");
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "GET", path, NULL, &node);
	free(path);
	if (r != CLI_OK)
		return r;
	if (cli->json) {
		r = cli_print_json(node);
	} else {
		printf("Node %s (%s): %s\n", cli_text(node, "id"), cli_text(node, "name"), state_of(node, state));
		printf("  address      %s, seen %s, enrolled %s\n", cli_text(node, "address"), cli_time(node, "last_seen", seen),
		       cli_time(node, "enrolled", enrolled));
		print_life(node);
		print_agent(json_object_get(node, "agent"));
		print_outside(json_object_get(node, "balancer"), json_object_get(node, "probe"));
		print_identity(json_object_get(node, "identity"));
		print_attestation(json_object_get(node, "attestation"));
		print_inventory(json_get_object(node, "inventory"));
		print_starts(json_get_object(node, "starts"));
		print_assignment(json_get_object(node, "assignment"));
		print_boot(json_object_get(node, "last_boot"));
	}
	json_decref(node);
	return r;
}

int cli_images(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 7 };
	json_t *answer = NULL, *images, *image;
	char size[16], wire[16];
	size_t i;
	int r = no_arguments(cli, argc, argv);

	if (r == CLI_OK)
		r = get_list(cli, "/v1/images", "images", &answer, &images);
	if (r != CLI_OK || !answer)
		return r;
	if (json_array_size(images) == 0) {
		puts("The repository offers no images; `repave status` says whether its metadata was refused.");
		json_decref(answer);
		return CLI_OK;
	}
	cli_table_add(&table, (const char *[]){ "KIND", "NAME", "OS", "VERSION", "SIGNED BY", "ON DISK", "ON THE WIRE" });
	json_array_foreach(images, i, image)
		cli_table_add(&table, (const char *[]){ cli_text(image, "kind"), cli_text(image, "name"),
							cli_text(image, "requires_os"), cli_text(image, "version"),
							cli_text(image, "signed_by"), cli_size(image, "size", size), cli_size(image, "wire_size", wire) });
	cli_table_print(&table);
	json_decref(answer);
	return CLI_OK;
}

#define PROBLEMS_SHOWN 4u

static void print_problems(const json_t *problems)
{
	size_t count = json_array_size(problems);

	if (!count)
		puts("The fleet is well.");
	else
		printf("%zu %s somebody:\n", count, count == 1 ? "thing needs" : "things need");
	for (size_t i = 0; i < count && i < PROBLEMS_SHOWN; i++) {
		const json_t *problem = json_array_get(problems, i);

		printf("  %-12s %s\n", strcmp(cli_text(problem, "severity"), "alarm") ? "WARNING" : "ALARM", cli_text(problem, "text"));
	}
	if (count > PROBLEMS_SHOWN)
		printf("  ...          and %zu more; `repave status --json` has them all\n", count - PROBLEMS_SHOWN);
}

static void print_renewal(const json_t *renewal)
{
	char when[32];

	if (!json_is_true(json_object_get(renewal, "online")))
		puts("  renewal      by hand (repave-sign refresh): repaved has no --online-keys");
	else if (!json_is_string(json_object_get(renewal, "error")))
		printf("  renewal      next %s\n", cli_time(renewal, "due", when));
}

static void print_lives(const json_t *lives)
{
	const char *name, *before = "";
	json_t *count;

	fputs("  nodes        ", stdout);
	json_object_foreach((json_t *)(uintptr_t)lives, name, count) {
		printf("%s%lld %s", before, (long long)json_integer_value(count), name);
		before = ", ";
	}
	puts(*before ? "" : "none yet; a server enrols when it boots from this fleet's media, see repave-boot(7)");
}

int cli_show_status(const struct cli *cli, int argc, char *argv[])
{
	const json_t *repository, *initial;
	json_t *status = NULL;
	char when[32];
	int r = no_arguments(cli, argc, argv);

	if (r == CLI_OK)
		r = cli_call(cli, "GET", "/v1/status", NULL, &status);
	if (r != CLI_OK)
		return r;
	if (cli->json) {
		r = cli_print_json(status);
		json_decref(status);
		return r;
	}
	repository = json_get_object(status, "repository");
	initial = json_get_object(status, "default_assignment");
	print_problems(json_get_array(status, "problems"));
	print_lives(json_get_object(status, "lives"));
	printf("  images       %lld (timestamp version %lld)\n", (long long)json_integer_value(json_object_get(status, "images")),
	       (long long)json_integer_value(json_object_get(repository, "timestamp_version")));
	print_renewal(json_get_object(repository, "renewal"));
	if (initial)
		printf("  new nodes    %s, application %s\n", cli_text(initial, "os"), cli_text(initial, "app"));
	else
		puts("  new nodes    wait for `repave assign` (no default)");
	printf("  running      since %s\n", cli_time(status, "started", when));
	json_decref(status);
	return CLI_OK;
}
