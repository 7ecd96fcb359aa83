/* SPDX-License-Identifier: GPL-2.0-or-later */
/* enrol-node FOLDER: what provision does from its start to an assignment, with a machine that FOLDER describes. For tests against a
 * real control unit on a development host, whose own disks and clock stay out of it.
 *
 *   etc/       config.json, ca.pem, root.json         sys/       as /sys
 *   token      join token; may be absent              state      the STATE partition; may be absent: no disk
 *   agent/     key.pem, certificate.pem               written
 *
 * Prints what a console would show. 0 with an assignment; 3 when policy ends the waiting for a control unit; 1 on another error. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "provisioner/provision.h"

/* ------------------------------------------------------------------ what main.c and settime.c have for a real machine */
void add_notice(struct provision *p, const char *text)
{
	snprintf(p->notice, sizeof(p->notice), "%s", text);
}

void save_state(struct provision *p)
{
	int r = state_store(&p->state);

	if (r < 0)
		console_line(&p->stages, "STATE can't be written: %s", strerror(-r));
}

void heed_lease(struct provision *p)
{
	(void)p;
}

/* A development host's disks are nobody's to clear. */
int sanitize(struct provision *p)
{
	return sentence(p->error, -EOPNOTSUPP, "this machine is to be cleared: %s", p->assignment.reason);
}

void sanitize_tell(const struct provision *p, json_t *question)
{
	(void)p;
	(void)question;
}

int doubt_clock(struct provision *p)
{
	(void)p;
	return 0;
}

/* ------------------------------------------------------------------ one boot */
static int open_machine(struct provision *p, const char *folder)
{
	char etc[512], token[512], sys[512], path[512];
	struct stat st;
	int fd, r;

	snprintf(etc, sizeof(etc), "%s/etc", folder);
	snprintf(token, sizeof(token), "%s/token", folder);
	snprintf(sys, sizeof(sys), "%s/sys", folder);
	snprintf(path, sizeof(path), "%s/state", folder);
	r = config_load(etc, token, "", &p->config, p->error);
	if (r == 0)
		r = identify(sys, &p->identity, p->error);
	if (r == 0)
		r = state_init(&p->state);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (r == 0 && fd >= 0 && fstat(fd, &st) == 0)
		r = state_load(&p->state, fd, (uint64_t)st.st_size);
	if (fd >= 0)
		close(fd);
	p->control = open_control(p, "");
	return p->control == NULL ? -ENOMEM : r;
}

static int store_agent(const struct provision *p, const char *folder)
{
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/agent/key.pem", folder);
	r = file_store(path, p->agent.key, strlen(p->agent.key), 0600);
	snprintf(path, sizeof(path), "%s/agent/certificate.pem", folder);
	return r < 0 ? r : file_store(path, p->agent.certificate, strlen(p->agent.certificate), 0600);
}

static int boot_once(struct provision *p, const char *folder)
{
	int r;

	p->heard = uptime();
	r = ensure_identity(p);
	if (r == 0)
		r = begin_attempt(p);
	stages_begin(&p->stages, "assign");
	if (r == 0)
		r = ask_for_assignment(p);
	if (r < 0)
		return r;
	get_agent_credential(p);
	renew_identity(p);
	stages_begin(&p->stages, "disk");
	report(p, "progress");
	console_line(&p->stages, "assigned: %s", p->assignment.os_target);
	return store_agent(p, folder);
}

int main(int argc, char **argv)
{
	static struct provision p;
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2)
		return 2;
	r = open_machine(&p, argv[1]);
	if (r == 0)
		r = boot_once(&p, argv[1]);
	if (r < 0)
		console_line(&p.stages, "%s", p.error);
	forget_keys(&p);
	for (size_t i = 0; i < sizeof(p.node); i++)
		if (((const char *)&p.node)[i] != 0 || ((const char *)&p.agent)[i] != 0)
			return 4;
	http_free(p.control);
	assignment_release(&p.assignment);
	state_release(&p.state);
	config_release(&p.config);
	return r == -ENETDOWN ? 3 : r < 0 ? 1 : 0;
}
