/* SPDX-License-Identifier: GPL-2.0-or-later */
/* healthy: in the running OS, from its start to its stop. Asks the application whether it is well, notes in STATE that this
 * pair of slots is good, and pats the hardware watchdog that stage 1 and stage 2 armed. A system that doesn't become healthy
 * in its time is started again, where another one was healthy before. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "provisioner/cmdline.h"
#include "provisioner/disk.h"
#include "common/probe.h"
#include "provisioner/ram.h"
#include "provisioner/state.h"
#include "provisioner/tries.h"
#include "provisioner/watchdog.h"

#define APP_JSON "/app/app.json"
#define HEALTH_SECONDS 300u

static const char usage[] =
	"Usage: healthy\n"
	"Waits until the application of " APP_JSON " passes its health check, records that this system is good, and\n"
	"pats the hardware watchdog until it is ended. Started by the OS.\n";

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

/* What stage 1 put on the kernel command line. */
struct start {
	char c_root[65], d_root[65]; /* d: "" without an application */
	unsigned seconds;
	bool in_ram;                 /* a disk, if there is one, has no part in this start */
	unsigned watchdog;            /* seconds that the hardware waits; 0: it has no part in this start */
};

static int start_load(struct start *ret_start)
{
	struct buffer cmdline = { 0 };
	struct boot_slot slot;
	char text[16];
	uint64_t seconds;
	int r = file_load("/proc/cmdline", 1 << 16, &cmdline);

	*ret_start = (struct start){ .seconds = HEALTH_SECONDS };
	if (r < 0)
		return log_error(r, "can't read /proc/cmdline");
	ret_start->watchdog = watchdog_seconds((const char *)cmdline.data);
	r = cmdline_boot_slot((const char *)cmdline.data, "repave.c", &slot);
	if (r == 0) {
		hex_format(slot.root_hash, 32, ret_start->c_root);
		ret_start->in_ram = strcmp(slot.partuuid, RAM_PARTUUID) == 0;
		if (cmdline_boot_slot((const char *)cmdline.data, "repave.d", &slot) == 0)
			hex_format(slot.root_hash, 32, ret_start->d_root);
		if (cmdline_value((const char *)cmdline.data, "repave.health", text, sizeof(text)) == 0 &&
		    parse_u64(text, &seconds) == 0 && seconds > 0 && seconds < 1 << 24)
			ret_start->seconds = (unsigned)seconds;
	} else {
		log_error(0, "the kernel command line has no repave.c=: this system wasn't started by Repave's stage 1");
	}
	buffer_release(&cmdline);
	return r;
}

/* ------------------------------------------------------------------ STATE */
/* 0; -ENOENT without a disk of ours: there is nothing to remember then. */
static int open_state(const struct start *start, struct state *ret_state)
{
	static struct disk disk;
	char path[BLOCKDEV_NAME + 8], error[SENTENCE];
	uint64_t size;
	int fd, r;

	if (!start->in_ram)
		disk_find(&disk);
	if (!disk.found)
		return -ENOENT;
	r = disk_open_part(&disk, PART_STATE, &fd, &size, path, error);
	if (r < 0)
		return log_error(0, "%s", error), r;
	r = state_init(ret_state);
	if (r == 0) {
		r = state_load(ret_state, fd, size);
		if (r < 0)
			state_release(ret_state);
	}
	close(fd);
	return r < 0 ? log_error(r, "can't read STATE of disk %s", disk.name) : 0;
}

static void note_healthy(const struct start *start)
{
	struct state state;
	int r = open_state(start, &state);

	if (r < 0)
		return;
	r = tries_healthy(&state, start->c_root, start->d_root);
	if (r == 0)
		r = state_store(&state);
	if (r < 0)
		log_error(r, "can't note in STATE that this system is healthy");
	state_release(&state);
}

/* A restart of this program alone said that the OS stops, and it runs on. */
static void note_running(const struct start *start)
{
	struct state state;
	int r = open_state(start, &state);

	if (r < 0)
		return;
	if (tries_set_unclean(&state))
		r = state_store(&state);
	if (r < 0)
		log_error(r, "can't note in STATE that this system runs");
	state_release(&state);
}

static void note_clean_stop(const struct start *start)
{
	struct state state;
	int r = open_state(start, &state);

	if (r < 0)
		return;
	r = tries_set_clean(&state);
	if (r == 0)
		r = state_store(&state);
	if (r < 0)
		log_error(r, "can't note the stop in STATE");
	state_release(&state);
}

/* Whether a restart can lead to another system: else it would only take away the one there is, with its console and its ssh. */
static bool another_was_healthy(const struct start *start)
{
	struct system_pair good;
	struct state state;
	bool another;

	if (open_state(start, &state) < 0)
		return false;
	another = tries_last_good(&state, &good) &&
		  (strcmp(good.c.root, start->c_root) != 0 || strcmp(good.d.root, start->d_root) != 0);
	state_release(&state);
	return another;
}

/* ------------------------------------------------------------------ health */
/* 0: well. Without an application, or without a check of its own, an OS that runs this program is well. */
static int ask(void)
{
	struct buffer text = { 0 };
	struct probe probe;
	int r = file_load(APP_JSON, 64 << 10, &text);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = probe_parse(text.data, text.size, &probe);
	buffer_release(&text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return probe_ask(&probe);
}

static double uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* For the operator's eyes, wherever the output of this program goes. */
static void say(const char *text)
{
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	log_info("%s", text);
	if (fd < 0)
		return;
	dprintf(fd, "repave: %s\n", text);
	close(fd);
}

static void give_up(const struct start *start, int error)
{
	char text[256];
	bool restart = another_was_healthy(start);

	snprintf(text, sizeof(text), "this system isn't healthy after %u s (%s): %s", start->seconds, strerror(-error),
		 restart ? "starting again" : "it stays, because no other one was healthy on this disk");
	say(text);
	if (!restart)
		return;
	sync();
	reboot(RB_AUTOBOOT);
}

/* One second of waiting. */
static void wait_healthy(const struct start *start, bool *healthy, bool *given_up)
{
	char text[64];
	int r = ask();

	if (r == 0) {
		note_healthy(start);
		snprintf(text, sizeof(text), "healthy %.1f s after the kernel", uptime());
		say(text);
		*healthy = true;
	} else if (!*given_up && uptime() > start->seconds) {
		give_up(start, r);
		*given_up = true;
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	bool healthy = false, given_up = false;
	struct start start;
	int watchdog;

	log_program("healthy");
	if (argc > 1) {
		bool help = strcmp(argv[1], "--help") == 0;

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (start_load(&start) < 0)
		return 1;
	watchdog = start.watchdog > 0 ? watchdog_open(start.watchdog) : -ENOENT;
	if (watchdog < 0 && watchdog != -ENOENT)
		log_error(watchdog, "can't pat the hardware watchdog");
	note_running(&start);
	while (!ended) {
		if (watchdog >= 0)
			watchdog_pat(watchdog);
		if (!healthy)
			wait_healthy(&start, &healthy, &given_up);
		sleep(healthy ? 5 : 1);
	}
	note_clean_stop(&start);
	if (watchdog >= 0)
		watchdog_leave(watchdog);
	return 0;
}
