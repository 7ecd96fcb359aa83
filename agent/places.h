/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are. The defaults are an OS image's; `agent --help` names the options that change them, for a development host. */
#ifndef AGENT_PLACES_H
#define AGENT_PLACES_H

struct places {
	const char *credential; /* folder: ca.pem, certificate.pem, key.pem, addresses */
	const char *state;      /* folder in RAM, ours alone */
	const char *app;        /* app.json */
	const char *upper;      /* the overlay's upper layer */
	const char *lower;      /* C:, read-only */
	const char *actions;    /* folder of what `run` may run */
	const char *hooks;      /* folder: drain, undrain, notice */
	const char *drain;      /* file: there while this server drains */
	const char *commands;   /* folder: reboot, poweroff */
	const char *user_data;  /* file: what became of H:, as docs/protocol.md has it */
	const char *metrics;    /* file: the address where metrics are asked for */
	const char *requests;   /* abstract socket at which users ask */
	const char *mapper;     /* device-mapper's control device */
	const char *tpm;        /* the TPM's device */
	const char *events;     /* file: what stage 1 measured, as docs/protocol.md has it */
	const char *journal;    /* the socket where systemd-journald sends lines to */
};

#define PLACES_DEFAULT                                                                                                                     \
	{                                                                                                                                  \
		.credential = "/run/repave/agent", .state = "/run/repave/agent", .app = "/app/app.json",                                   \
		.upper = "/run/repave/overlay/upper", .lower = "/run/repave/c", .actions = "/usr/lib/repave/actions",                      \
		.hooks = "/usr/lib/repave/hooks", .drain = "/run/repave/drain", .commands = "/sbin",                                       \
		.user_data = "/run/repave/h/state", .journal = "/run/systemd/journal/syslog",                                              \
		.mapper = "/dev/mapper/control", .tpm = "/dev/tpmrm0", .events = "/run/repave/events.json",                                                                 \
		.metrics = "/run/repave/config/agent-metrics", .requests = "repave-request",                                               \
	}

#endif
