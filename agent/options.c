/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "common/log.h"

const char usage_text[] =
	"Usage: agent [OPTION]…\n"
	"Tells the control unit how this server is, and carries out its orders. Started by the OS.\n"
	"\n"
	"  --print            measure once, print the measures as JSON, and end\n"
	"  --node ID          this server's id (default: repave.node= of the kernel command line)\n"
	"  --credential DIR   ca.pem, certificate.pem, key.pem, addresses\n"
	"                     (default: /run/repave/agent)\n"
	"  --state DIR        what must outlive this program (default: /run/repave/agent)\n"
	"  --app FILE         app.json of the application (default: /app/app.json)\n"
	"  --upper DIR        upper layer of the root (default: /run/repave/overlay/upper)\n"
	"  --lower DIR        the image (default: /run/repave/c)\n"
	"  --actions DIR      actions that may be run (default: /usr/lib/repave/actions)\n"
	"  --hooks DIR        drain, undrain, notice (default: /usr/lib/repave/hooks)\n"
	"  --drain FILE       is there while this server drains (default: /run/repave/drain)\n"
	"  --commands DIR     reboot, poweroff (default: /sbin)\n"
	"  --home FILE        what became of H: (default: /run/repave/h/state)\n"
	"  --mapper DEVICE    device-mapper (default: /dev/mapper/control)\n"
	"  --tpm DEVICE       the TPM (default: /dev/tpmrm0)\n"
	"  --events FILE      what stage 1 measured (default: /run/repave/events.json)\n"
	"  --journal SOCKET   where journald sends its lines to\n"
	"                     (default: /run/systemd/journal/syslog)\n"
	"  --metrics FILE     ADDRESS:PORT where metrics are asked for; without it nowhere\n"
	"                     (default: /run/repave/config/agent-metrics)\n"
	"  --requests NAME    abstract socket at which users ask (default: repave-request)\n"
	"  --help             this text\n";

int options_parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option long_options[] = {
		{ "print", no_argument, NULL, 'p' },          { "node", required_argument, NULL, 'n' },
		{ "credential", required_argument, NULL, 'c' }, { "state", required_argument, NULL, 's' },
		{ "app", required_argument, NULL, 'a' },      { "upper", required_argument, NULL, 'u' },
		{ "lower", required_argument, NULL, 'l' },    { "actions", required_argument, NULL, 'A' },
		{ "hooks", required_argument, NULL, 'H' },    { "drain", required_argument, NULL, 'd' },
		{ "commands", required_argument, NULL, 'C' }, { "journal", required_argument, NULL, 'j' },
		{ "mapper", required_argument, NULL, 'M' },   { "tpm", required_argument, NULL, 'T' },      { "events", required_argument, NULL, 'E' },
		{ "home", required_argument, NULL, 'U' },    { "metrics", required_argument, NULL, 'm' },
		{ "requests", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct places *places = &ret_options->places;
	int option;

	*ret_options = (struct options){ .places = PLACES_DEFAULT };
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'p': ret_options->print = true; break;
		case 'h': ret_options->help = true; break;
		case 'n': ret_options->node = optarg; break;
		case 'c': places->credential = optarg; break;
		case 's': places->state = optarg; break;
		case 'a': places->app = optarg; break;
		case 'u': places->upper = optarg; break;
		case 'l': places->lower = optarg; break;
		case 'A': places->actions = optarg; break;
		case 'H': places->hooks = optarg; break;
		case 'd': places->drain = optarg; break;
		case 'C': places->commands = optarg; break;
		case 'j': places->journal = optarg; break;
		case 'M': places->mapper = optarg; break;
		case 'T': places->tpm = optarg; break;
		case 'E': places->events = optarg; break;
		case 'U': places->user_data = optarg; break;
		case 'm': places->metrics = optarg; break;
		case 'r': places->requests = optarg; break;
		default: return log_error(-EINVAL, "see agent --help"), -EINVAL;
		}
	}
	if (optind < argc)
		return log_error(0, "\"%s\": agent takes options only; see agent --help", argv[optind]), -EINVAL;
	return 0;
}
