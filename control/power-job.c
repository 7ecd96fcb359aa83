// SPDX-License-Identifier: GPL-2.0-or-later
/* One action on one server's power: look, command, look until it is so. */
#include <errno.h>
#include <time.h>

#include "control/power-driver.h"

#define SLICE 50            /* milliseconds between two looks whether repaved ends */
#define LOOK_EVERY 500
#define OFF_BEFORE_ON 2000  /* power supplies and disks want a moment */

int64_t power_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t power_left(const struct power_work *work)
{
	int64_t left = work->deadline - power_clock();

	return atomic_load(work->ending) || left < 0 ? 0 : left;
}

bool power_pause(const struct power_work *work, int64_t milliseconds)
{
	int64_t until = power_clock() + milliseconds;

	while (power_clock() < until && power_left(work) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = SLICE * 1000000L }, NULL);
	return power_left(work) > 0;
}

/* The work under way. */
struct progress {
	const struct power_driver *driver;
	struct power_work *work;
	void *line;
	enum power_state state;
};

/* What a BMC may say now and not a moment later: it is busy with what it was told. */
static bool may_pass(int error)
{
	return error == -ETIMEDOUT || error == -EBUSY || error == -EIO;
}

/* Looks until the state is `wanted`. */
static int wait_for(struct progress *p, enum power_state wanted)
{
	bool seen = false; /* the last look may have had no time */
	int r;

	for (;;) {
		r = p->driver->look(p->line, &p->state);
		if (!r && p->state == wanted)
			return 0;
		seen |= r == 0;
		if (r < 0 && !may_pass(r))
			return r;
		if (!power_pause(p->work, LOOK_EVERY))
			break;
	}
	if (atomic_load(p->work->ending))
		return -ECANCELED;
	if (seen)
		refused(p->work->error, "the BMC took the command, and still says that the server is %s after %u s", power_state_name(p->state),
			p->work->config->timeout);
	return -ETIMEDOUT;
}

/* Commands what isn't so already. A command whose answer was lost may have been done: the state tells. */
static int reach(struct progress *p, enum power_state wanted, enum power_command command)
{
	int r;

	if (p->state == wanted)
		return 0;
	p->work->commanded = true;
	r = p->driver->command(p->line, command);
	return r == 0 || r == -ETIMEDOUT ? wait_for(p, wanted) : r;
}

static int cycle(struct progress *p)
{
	int r = reach(p, POWER_STATE_OFF, COMMAND_OFF);

	if (!r && !power_pause(p->work, OFF_BEFORE_ON))
		r = refused(p->work->error, "there was no time left to switch it on again: it is off");
	return r ? r : reach(p, POWER_STATE_ON, COMMAND_ON);
}

/* Off already: what is wanted is a server that boots. */
static int reset(struct progress *p)
{
	int r;

	if (p->state != POWER_STATE_ON)
		return reach(p, POWER_STATE_ON, COMMAND_ON);
	p->work->commanded = true;
	r = p->driver->command(p->line, COMMAND_RESET);
	if (r == -EOPNOTSUPP)
		return cycle(p);
	/* It is on before and after: a lost answer can't be made up for by a look. */
	return r ? r : wait_for(p, POWER_STATE_ON);
}

static int act(struct progress *p, enum power_action action)
{
	switch (action) {
	case POWER_STATUS: return 0;
	case POWER_ON: return reach(p, POWER_STATE_ON, COMMAND_ON);
	case POWER_OFF: return reach(p, POWER_STATE_OFF, COMMAND_OFF);
	case POWER_SHUTDOWN: return reach(p, POWER_STATE_OFF, COMMAND_SHUTDOWN);
	case POWER_RESET: return reset(p);
	case POWER_CYCLE: return cycle(p);
	}
	return -EINVAL;
}

int power_carry_out(const struct power_driver *driver, struct power_work *work, enum power_action action, enum power_state *ret_state)
{
	struct progress progress = { .driver = driver, .work = work };
	int r = driver->open(work, &progress.line);

	*ret_state = POWER_STATE_UNKNOWN;
	if (r < 0)
		return r;
	r = driver->look(progress.line, &progress.state);
	if (!r)
		r = act(&progress, action);
	driver->close(progress.line);
	*ret_state = progress.state;
	return r;
}
