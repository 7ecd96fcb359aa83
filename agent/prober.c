/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/tls.h"
#include "common/file.h"
#include "common/probe.h"

#define SECONDS_MOST 30
#define NOBODY 65534

struct result {
	int error; /* 0 or -errno */
	double milliseconds;
};

static double milliseconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void __attribute__((noreturn)) ask(const struct probe *probe, int output)
{
	struct result result;
	double start;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(1);
	start = milliseconds_now();
	result.error = probe_ask(probe);
	result.milliseconds = milliseconds_now() - start;
	_exit(write(output, &result, sizeof(result)) != sizeof(result));
}

static void start(struct prober *prober, const struct probe *probe)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	prober->process = fork();
	if (prober->process == 0)
		ask(probe, ends[1]);
	close(ends[1]);
	prober->output = ends[0];
	if (prober->process < 0) {
		close(ends[0]);
		prober->process = 0;
	}
}

static void take_result(const struct prober *prober, struct health *health)
{
	struct result result = { .error = -EIO };

	if (read(prober->output, &result, sizeof(result)) != sizeof(result))
		result = (struct result){ .error = -ETIMEDOUT, .milliseconds = (double)(steady_ms() - prober->started) };
	*health = (struct health){ .state = result.error == 0 ? HEALTH_GOOD : HEALTH_BAD, .milliseconds = result.milliseconds };
	if (result.error == -EPROTO)
		snprintf(health->error, sizeof(health->error), "the answer isn't a status of 200 to 399");
	else if (result.error < 0)
		snprintf(health->error, sizeof(health->error), "%s", strerror(-result.error));
}

static void finish(struct prober *prober, struct health *health)
{
	if (steady_ms() - prober->started > SECONDS_MOST * 1000)
		kill(prober->process, SIGKILL);
	if (waitpid(prober->process, NULL, WNOHANG) == 0)
		return;
	take_result(prober, health);
	close(prober->output);
	prober->process = 0;
}

void prober_run(struct prober *prober, const struct places *places, unsigned interval, struct health *health)
{
	struct buffer text = { 0 };
	struct probe probe;
	int r;

	if (prober->process != 0)
		finish(prober, health);
	if (prober->process != 0 || (prober->started != 0 && steady_ms() - prober->started < (int64_t)interval * 1000))
		return;
	prober->started = steady_ms();
	r = file_load(places->app, 64 << 10, &text);
	if (r == 0)
		r = probe_parse(text.data, text.size, &probe);
	buffer_release(&text);
	if (r == 0)
		start(prober, &probe);
	else
		*health = (struct health){ .state = r == -ENOENT ? HEALTH_NONE : HEALTH_UNKNOWN };
}
