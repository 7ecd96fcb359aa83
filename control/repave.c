// SPDX-License-Identifier: GPL-2.0-or-later
/* The operator's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/cli-screen.h"
#include "control/cli.h"
#include "control/state.h"

#define WAIT_HELP "  --wait SECONDS          how long to wait for its answer (default 15; 0: not at all)\n" \
	"Exit status 1 when it was refused or failed, 4 when there is no answer yet.\n"
#define ASSIGNMENT_HELP                                                                                          \
	"  --os NAME[@VERSION]     OS image; without a version, the newest at each boot\n"                      \
	"  --app NAME[@VERSION]    application image, adapted to that OS\n"                                     \
	"  --no-app                no application\n"                                                           \
	"  --hostname NAME         host name\n"                                                                \
	"  --ssh-key FILE          public keys that may log in as root; may be repeated\n"                      \
	"  --user NAME:NUMBER:FILE a user who may log in and see C:, D: and his part of H: only: his number (10000 to 59999) and\n" \
	"                          his public keys; may be repeated\n"                                                  \
	"  --file NAME=PATH        configuration file for the application; may be repeated\n"                   \
	"  --mirror URL            where to fetch images first, http://HOST[:PORT]/PATH; may be repeated, order kept\n" \
	"  --no-mirrors            the control unit's own repository only\n"                                   \
	"  --verify full|lazy      full: check every block before the start (default); lazy: leave the data of a\n"  \
	"                          slot that was complete to dm-verity, and start sooner\n"                    \
	"  --start auto|kexec|reset  how the system starts: by kexec; by the firmware after a reset (UEFI only); auto\n"   \
	"                          (default): by kexec, unless this node didn't survive that\n"                 \
	"  --h WHERE               user data: auto (default: this server's partition H, where the application declares a home),\n" \
	"                          local, none, nfs:SERVER:/PATH (one folder for all), or nfs:SERVER:/PATH/{node} (one for each)\n" \
	"  --clear-config          drop host name, keys, users and files that aren't given\n"                          \
	"  --wipe                  the next boot may write a disk that isn't blank and isn't Repave's\n"

#define RESTART_HELP                                                                                             \
	"  --urgency wait|notify|evict  wait until its users have left (default); ask them to; throw them out\n"           \
	"  --handover              hand them over to another server: where the group's service has `sessions: shared`\n"         \
	"  --grace TIME            who was asked is thrown out after TIME (default 10m); with `wait`, only if given\n"     \
	"  --reason TEXT           for the journal\n"                                                                      \
	"  --limit NAME=TIME       how long a step may last: notice, spare, drain, evict, stop, power, boot, health, ready;\n" \
	"                          may be repeated\n"                                                                      \
	"  --follow                print each step as it is reached, to the end; status 1 when it failed or was cancelled\n"

#define REQUEST_HELP                                                                                             \
	"  --urgency wait|notify|handover|evict  wait until its users have left (default); ask them to; hand them over; throw\n"  \
	"                          them out\n"                                                                              \
	"  --force                 whatever minimum and maximum say\n"                                                        \
	"  --reason TEXT           for the journal\n"

#define CAMPAIGN_HELP                                                                                            \
	"  --by TIME               the deadline: 4h (from now), 22:00 (the next one), \"2026-11-22 22:00\"; local time, or UTC with a Z\n"   \
	"  --serving SHARE         of each group's servers so many go on serving (default 50%)\n"                                     \
	"  --group GROUP           only this group; may be repeated\n"                                                                 \
	"  --node NODE             only this node; may be repeated\n"                                                                  \
	"  --never-force           rather miss the deadline than fall below that share or throw users out\n"                           \
	"  --in-windows            within the groups' windows, as long as that is enough\n"                                            \
	"  --name NAME             for people\n"                                                                                       \
	"  --reason TEXT           for the journal and the report\n"

static const struct command {
	const char *words, *arguments, *summary, *help;
	int (*run)(const struct cli *cli, int argc, char *argv[]);
} commands[] = {
	{ "init", "[--name NAME]", "make the state folder of a new control unit",
	  "Makes the fleet's certificate authority, the control unit's certificate, a join token and an empty\n"
	  "database in the state folder, which must not exist yet or be empty.\n", cli_init },
	{ "backup", "FILE [--json]", "write a backup of the state folder",
	  "Writes the database, the fleet's authority, the control unit's key, the join token, the key of stored passwords and the\n"
	  "trusted metadata into FILE (a tar archive, mode 0600; - is standard output). Works while repaved runs. Not in it: the\n"
	  "repository and its keys, and the automatic backups of the database.\n"
	  "Whoever has the file has the fleet: encrypt it, or keep it as closed as the state folder.\n", cli_backup },
	{ "restore", "FILE | --latest", "make the state folder out of a backup",
	  "Checks all of FILE (- is standard input) before anything is replaced, and replaces in one step. Not while repaved runs.\n\n"
	  "  --replace               the state folder isn't empty: it is kept under another name\n"
	  "  --latest                only the database, by the newest automatic backup of it that is sound\n", cli_restore },
	{ "nodes", "[--json]", "list the nodes", "Lists every node that ever asked to boot.\n", cli_nodes },
	{ "node show", "NODE [--json]", "show a node: inventory, assignment, last boot",
	  "NODE is an id, 4 or more leading digits of it, or a host name.\n", cli_node_show },
	{ "node watch", "[NODE]... [option]...", "follow boots as they go on",
	  "Shows nodes (all, unless some are named) and how far each boot is: a table that is kept up to date on a\n"
	  "terminal, else a line for each change, with --json an object for each change. Ends with ^C.\n\n"
	  "  --until STATE[,STATE]...  end when each node is in one of these: waiting, booting, booted (what is assigned\n"
	  "                            now), failed. Status 1 when one failed and failed wasn't all that was asked for\n"
	  "  --timeout SECONDS         end then; status 4 when --until wasn't reached\n", cli_node_watch },
	{ "node logs", "NODE [option]... [--json]", "show what a node said",
	  "Shows the log of each boot, the last words of kernels that stopped, and what was asked for of the running system's\n"
	  "logs, oldest first, as far as the control unit keeps them: 256 KiB, 64 texts, 90 days.\n\n"
	  "  --last                  of the last boot\n"
	  "  --boot N                of the Nth boot before the last; 0 is the last\n"
	  "  --kind boot|crash|app|system  only these\n"
	  "  --fetch                 ask the system that runs now for the end (48 KiB) of the application's log, or with\n"
	  "                          --kind system of its own, keep that, and show it\n"
	  "  --wait SECONDS          with --fetch: how long to wait for it (default 30)\n", cli_node_logs },
	{ "node list", "[--pending] [--watch] [--json]", "list the nodes, or the servers that wait to enrol",
	  "Without an option as `repave nodes`.\n\n"
	  "  --pending               servers that wait for `repave node approve`, or for their former identity's silence\n"
	  "  --watch                 show it anew every 2 seconds; ends with ^C\n", cli_node_list },
	{ "node remove", "NODE", "forget a node and its identity",
	  "For a server that was stolen, sold or replaced: its certificate counts no more, and its assignment and boots are\n"
	  "forgotten. It can enrol again as a new one; revoke the join tokens and the boot media that went with it.\n", cli_node_remove },
	{ "node reject", "NODE", "forget a server that waits to enrol",
	  "Nothing changes for a node that has this id; the server is listed again when it asks again.\n", cli_node_reject },
	{ "node approve", "NODE [--key DIGITS]", "let a server enrol that waits",
	  "Accepts the machine that waits under this id, with the key and the hardware that it showed. Compare serial\n"
	  "number and network addresses with those of the machine before: it gets what is assigned to the node.\n\n"
	  "  --key DIGITS            only if its key, as the list shows it, still begins so\n", cli_node_approve },
	{ "node allow", "[--uuid|--serial|--mac VALUE]", "let a server enrol without a token",
	  "Without arguments shows the allow list.\n\n"
	  "  --uuid UUID             DMI UUID, the node's id\n"
	  "  --serial TEXT           serial number of the board or system\n"
	  "  --mac ADDRESS           one of its network addresses\n"
	  "  --note TEXT             for people\n"
	  "  --remove                take it off the list; a server that has enrolled stays\n", cli_node_allow },
	{ "node notice", "NODE TEXT... [--wait SECONDS]", "write to who is logged in on a node",
	  "Writes TEXT to every terminal of NODE, and runs its notice hook.\n\n" WAIT_HELP, cli_node_notice },
	{ "node logout", "NODE [--user USER] [--wait SECONDS]", "end log-ins on a node",
	  "Ends the sessions of USER, or of everybody, on NODE.\n\n" WAIT_HELP, cli_node_logout },
	{ "node run", "NODE ACTION [option]...", "run an action that the OS image offers",
	  "Runs /usr/lib/repave/actions/ACTION on NODE, and prints the last line that it wrote.\n\n"
	  "  --argument NAME=VALUE   one that the action declares; may be repeated\n" WAIT_HELP, cli_node_run },
	{ "node orders", "NODE [--json]", "list the orders that a node was given", "Shows the newest 50, with the agent's answers.\n",
	  cli_node_orders },
	{ "node power", "ACTION NODE [option]...", "switch a server by its BMC",
	  "ACTION is one of\n\n"
	  "  status                  asks whether the server is on\n"
	  "  on, off                 switches it, and waits until the BMC says so; off is at once, nobody is asked\n"
	  "  reset                   starts it anew at once (off and on where the BMC has no reset; on if it was off)\n"
	  "  cycle                   off, and on again after two seconds\n"
	  "  shutdown                presses the power button, and waits until the system has switched itself off\n"
	  "  show                    shows how the server's power is controlled, and the last job\n"
	  "  remove                  forgets that, and the BMC's password\n"
	  "  set                     says how, with\n\n"
	  "  --driver ipmi|redfish\n"
	  "  --address HOST[:PORT]   of the BMC\n"
	  "  --user NAME             who may switch the server there, better nobody who may do more\n"
	  "  --password-file FILE    the first line is the password; - reads standard input\n"
	  "  --bmc-ca FILE           redfish: the CA that signed the BMC's certificate for HOST, in PEM\n"
	  "  --fingerprint SHA256    redfish: or that certificate's own fingerprint\n"
	  "  --system PATH           redfish: the system, where the BMC has several\n"
	  "  --cipher 17|3           ipmi: cipher suite (default 17; 3 for old BMCs)\n"
	  "  --timeout SECONDS       as long may a job take (default 60)\n", cli_node_power },
	{ "node reboot", "NODE [option]...", "restart a node, users first",
	  "Another server or a spare takes its new users, its present ones leave, it is shut down, verified to be off, boots what\n"
	  "is assigned, and serves again once it is healthy. Steps: replace, drain, release, shutdown, select, boot, healthy, ready.\n\n"
	  RESTART_HELP, cli_node_reboot },
	{ "node reimage", "NODE [option]...", "the same, with every block checked, and other images if wanted",
	  "As `repave node reboot`; every block of its disk is compared with the signed images, also where `verify` is lazy.\n\n"
	  "  --os NAME[@VERSION]     another OS image\n"
	  "  --app NAME[@VERSION]    another application image\n"
	  "  --no-app                no application\n" RESTART_HELP, cli_node_reimage },
	{ "node release", "NODE [option]...", "make a node a spare once its users have left",
	  "It gets no new users, and keeps running.\n\n" RESTART_HELP, cli_node_release },
	{ "node urgency", "NODE wait|notify|handover|evict", "hurry a restart that is under way",
	  "From now on. Too late once its users are gone.\n", cli_node_urgency },
	{ "node cancel", "NODE", "cancel a restart before its shutdown",
	  "The node takes new users again, and isn't restarted.\n", cli_node_cancel },
	{ "alloc", "GROUP [option]...", "give a group one more server, or several",
	  "A spare joins the group and serves it, one that runs the group's images already before one that must boot them first.\n"
	  "Held to the group's maximum. Each is a request in the journal; exit status 1 when one was denied.\n\n"
	  "  --node NODE             this one, a spare or one without a group\n"
	  "  --count N               as many spares (default 1)\n"
	  "  --force                 beyond the group's maximum, too\n"
	  "  --reason TEXT           for the journal\n", cli_alloc },
	{ "release", "NODE [option]...", "take a server from its group: it becomes a spare",
	  "It gets no new users, and is a spare once its present ones have left; it keeps running. Held to the group's minimum.\n\n"
	  REQUEST_HELP, cli_release },
	{ "move", "NODE GROUP [option]...", "take a server from its group to another one",
	  "Once its users have left it boots the images of GROUP, and serves there. Held to the minimum of its group, where a spare\n"
	  "comes in its place if one is free, and to the maximum of the other.\n\n"
	  REQUEST_HELP, cli_move },
	{ "node monitor", "NODE... MONITOR|none", "say which monitor a node's agent goes by",
	  "MONITOR is a name of `repave monitor list`, none the control unit itself. From the agent's next status on; where the monitor\n"
	  "doesn't answer, agents speak with the control unit directly until it does.\n", cli_node_monitor },
	{ "monitor create", "NAME --address HOST:PORT [--file FILE]", "make the credential of a monitor",
	  "For a repave-monitor, on this or another machine, which stands between agents and the control unit. Makes a key, has the\n"
	  "control unit sign it, writes both into FILE (mode 0600), and prints its path. Of one name only the newest credential counts.\n\n"
	  "  --address HOST:PORT     where servers reach it\n"
	  "  --file FILE             default: NAME.monitor.pem in this folder\n", cli_monitor_create },
	{ "monitor list", "[--json]", "list the monitors", "Shows each with the servers that are given to it, and those that come by it now.\n",
	  cli_monitor_list },
	{ "monitor revoke", "NAME", "end a monitor", "Its credential counts no more, and its servers speak with the control unit directly.\n",
	  cli_monitor_revoke },
	{ "tpm list", "[--json]", "list by what proofs of servers' TPMs are judged",
	  "Shows authorities of TPMs, TPMs that were allowed, and boot images that are expected. What a server proved: `repave node show`.\n",
	  cli_tpm_list },
	{ "tpm allow", "NODE|SHA256 [option]...", "allow a server's TPM",
	  "For a TPM without a certificate that an authority (`repave tpm ca`) vouches for, and after a board was replaced. NODE: the TPM\n"
	  "that it showed last, for this node alone. SHA256: of the public part of an endorsement key (`repave node show` has it).\n\n"
	  "  --node NODE             with SHA256: for this node alone\n"
	  "  --note TEXT             for people\n"
	  "  --remove                no longer; the first digits of SHA256 are enough\n", cli_tpm_allow },
	{ "tpm ca", "add FILE | remove DIGITS | crl FILE | crl remove DIGITS", "say whose TPMs are genuine",
	  "FILE has certificates of manufacturers' authorities in PEM, roots or those below them. TPMs whose endorsement certificate one\n"
	  "of them signed are taken for what they are; each is bound to the first node that proves to have it. With crl, FILE is the list\n"
	  "of what one of them revoked (PEM or DER), in the place of the one before.\n", cli_tpm_ca },
	{ "tpm expect", "add FILE --signature FILE --certificate FILE | remove DIGITS", "say what boot images measure",
	  "FILE is repave.pcrs.json of the build that made the boot image, with its signature, and the db certificate in PEM whose key made\n"
	  "both. Servers that started another image than those that are expected prove nothing.\n", cli_tpm_expect },
	{ "tpm accept", "NODE", "accept a server's changed firmware",
	  "After an update of firmware or settings: as the node's last quote had it. `repave node show` says what differs.\n", cli_tpm_accept },
	{ "node request", "NODE [--refuse]", "show what a user of a node asked for",
	  "A privileged user may ask for another OS from within the node; once he has logged out it is reimaged.\n\n"
	  "  --refuse                say no, while he hasn't\n", cli_node_request },
	{ "node quarantine", "NODE [--reason TEXT]", "take a node from its users at once, and keep it as it is",
	  "The balancer closes its sessions and gives it nobody; it runs on, and its agent reports, for who examines it.\n\n"
	  "  --reason TEXT           for the journal and the lists\n", cli_node_quarantine },
	{ "node maintenance", "NODE [--reason TEXT]", "set a node aside for work on it",
	  "It gets no new users, present ones may finish, and its silence is no alarm.\n\n"
	  "  --reason TEXT           for the journal and the lists\n", cli_node_maintenance },
	{ "node clear", "NODE [--reason TEXT]", "bring a quarantined, maintained or failed node back",
	  "It serves again as soon as its agent says that it is healthy; a spare is a spare again.\n\n"
	  "  --reason TEXT           for the journal and the lists\n", cli_node_clear },
	{ "node alarm", "NODE --reason TEXT", "raise a security alarm of a node",
	  "For a person, or a tool that detects intrusions: counts as an alarm of the node's own agent. The rules decide; by the shipped ones the\n"
	  "node is cut off as by `repave node cut`, and quarantined when that was done three times within a day.\n\n"
	  "  --reason TEXT           what was seen\n", cli_node_alarm },
	{ "node cut", "NODE --reason TEXT", "throw its users out, and cut its power at once",
	  "Out of the balancer within a second, power off by its BMC within two, nobody is asked; without a BMC the agent resets it. Then it\n"
	  "boots the same again with every block checked, and serves once it is healthy. One that can't be cut off is quarantined.\n\n"
	  "  --reason TEXT           why\n", cli_node_cut },
	{ "node evidence", "NODE [--fetch RESTART FILE] [--json]", "what a node said before it was cut off",
	  "Lists what the agent sent (\"evidence\" of decisions in the fleet file): processes, sockets, mounts, modules, logs, and what was written\n"
	  "to the system, as a tar archive. A compromised server's own word: open it where nothing can happen.\n\n"
	  "  --fetch RESTART FILE    write that of this cut into FILE (mode 0600), and check its SHA-256\n", cli_node_evidence },
	{ "restart list", "[--active] [--node NODE] [--watch]", "list restarts, the newest first",
	  "Shows those under way and those that ended.\n\n"
	  "  --active                only those under way\n"
	  "  --node NODE             only of that node\n"
	  "  --watch                 show it anew every 2 seconds; ends with ^C\n", cli_restart_list },
	{ "restart show", "RESTART [--follow]", "show a restart with its steps and their times", "RESTART is its number.\n",
	  cli_restart_show },
	{ "reimage plan", "[--by TIME] [option]... [--json]", "show which servers will be reimaged when",
	  "Without options: what the campaign that runs, or else the servers' age, will lead to within a week. With --by: what a campaign\n"
	  "would do, before it does. Users are taken to stay as many as there are now, and starts to take as long as they did.\n\n" CAMPAIGN_HELP,
	  cli_reimage_plan },
	{ "reimage start", "--by TIME [option]... [--json]", "reimage the fleet, or a part of it, by a deadline",
	  "As many at once as the time asks for, and no more. One campaign runs at a time, and goes on after a restart of repaved.\n\n" CAMPAIGN_HELP,
	  cli_reimage_start },
	{ "reimage status", "[CAMPAIGN] [--watch] [--json]", "show how far a campaign is, and whether its deadline holds",
	  "CAMPAIGN is its number; without one, that which runs, or else the last one.\n\n"
	  "  --watch                 show it anew every 2 seconds; ends with ^C\n", cli_reimage_status },
	{ "reimage stop", "[CAMPAIGN] [--cancel] [--json]", "stop a campaign at once",
	  "Nobody is begun any more. Those under way come back by themselves.\n\n"
	  "  --cancel                those that still have users aren't restarted either\n", cli_reimage_stop },
	{ "reimage resume", "[CAMPAIGN] [--by TIME] [--json]", "go on with a campaign that was stopped",
	  "What was reimaged since it began stays done.\n\n  --by TIME               another deadline, as for `repave reimage start`\n", cli_reimage_resume },
	{ "reimage list", "[--json]", "list the campaigns, the newest first", "Shows the newest 100.\n", cli_reimage_list },
	{ "reimage exempt", "NODE --until TIME --reason TEXT | NODE --end | --list [--all]", "leave a server alone for some time",
	  "Neither age nor campaigns reimage it until then; alarms and failures do. It ends by itself.\n\n"
	  "  --until TIME            when it ends, within 90 days: 7d, 22:00, \"2026-11-22 22:00\"\n"
	  "  --reason TEXT           for the journal and the report\n"
	  "  --end                   end it now\n"
	  "  --list                  list those that hold; with --all also those that are over\n", cli_reimage_exempt },
	{ "report reimage", "[--json|--csv] [--since TIME] [--sign FILE]", "show when each server was reimaged last, and whether that is in time",
	  "Of each server: when, to which images (with the dm-verity root hash that stage 1 reported), by whom and why, and whether it is\n"
	  "within its group's policy: within, overdue, exempt (overdue, and exempt), no limit, unknown.\n\n"
	  "  --csv                   comma-separated values\n"
	  "  --since TIME            also which were since then: 4h (ago), 20:00 (the last one), \"2026-11-22 20:00\"\n"
	  "  --sign FILE             write it to FILE (JSON, or CSV with --csv) and its signature, by the control unit, to FILE.sig\n",
	  cli_report_reimage },
	{ "report sanitize", "[NODE] [--json] [--sign FILE]", "show which servers were cleared of an account's data, and how",
	  "A server whose group's account isn't the one whose data it holds is cleared at its next start: the keys of its H: are destroyed,\n"
	  "its disk is discarded and overwritten, and after a cold reset stage 1's kernel zeroes its memory. Of each there is a record that the\n"
	  "control unit signed. MEMORY is who cleared it, as far as anybody said; PROOF whether a TPM proved the stage 1 that says all of this.\n\n"
	  "  --sign FILE             write the newest record to FILE and its signature to FILE.sig\n", cli_report_sanitize },
	{ "report key", "[--json]", "print the public key that reports are verified with", "Give it to auditors in another way than the reports.\n",
	  cli_report_key },
	{ "report verify", "FILE --key PUB", "verify a signed report",
	  "Needs no control unit. So does OpenSSL: openssl pkeyutl -verify -pubin -inkey PUB -rawin -in FILE -sigfile FILE.sig\n\n"
	  "  --key PUB               file of the public key, from `repave report key`\n"
	  "  --signature FILE        another file than FILE.sig\n", cli_report_verify },
	{ "sanitize", "NODE --yes", "destroy all data that a server holds",
	  "At its next start, as when another account gets it: H: and everything else on its disk but the partition table and the server's own\n"
	  "identity. For a server that leaves, or whose H: is to begin anew, for instance to be encrypted.\n", cli_sanitize },
	{ "token create", "[option]...", "make a join token",
	  "Prints a new join token, once: the control unit keeps only its SHA-256. The token of the boot media, join-token in\n"
	  "the state folder, isn't among these.\n\n"
	  "  --uses N                as many servers may enrol with it (default: no limit)\n"
	  "  --expires TIME          as long, such as 1h or 7d (default: for ever)\n"
	  "  --note TEXT             for people\n", cli_token_create },
	{ "token list", "[--json]", "list the join tokens", "Shows every join token that was made, without the secret.\n", cli_token_list },
	{ "token revoke", "TOKEN", "end a join token", "TOKEN is its id in `repave token list`. Servers that enrolled with it stay.\n",
	  cli_token_revoke },
	{ "operator add", "NAME --role viewer|auditor|operator|admin", "let somebody operate this control unit over the network",
	  "Prints the operator's token, once. The roles:\n\n"
	  "  viewer                  sees everything but tokens, operators and the audit log\n"
	  "  auditor                 sees that and the audit log\n"
	  "  operator                a viewer who assigns images and approves servers\n"
	  "  admin                   everything; so is who may use the state folder's socket\n", cli_operator_add },
	{ "operator list", "[--json]", "list the operators", "Shows names and roles.\n", cli_operator_list },
	{ "operator remove", "NAME", "end an operator's access", "The token counts no more from the next call on.\n", cli_operator_remove },
	{ "settings", "[NAME=VALUE]...", "show or change settings",
	  "  enrol=token             a good join token is enough to enrol (default)\n"
	  "  enrol=approve           every server waits for `repave node approve`, unless it is on the allow list\n"
	  "  clone_seconds=N         a known server gets another identity once its former one was silent for so long\n"
	  "                          (default 60)\n"
	  "  interval=N              seconds between two statuses of an agent, 1 to 300 (default 5)\n"
	  "  images=stage1           servers get their own images, and only in their stage 1 (default)\n"
	  "  images=any              whoever reaches the repository's port gets them\n", cli_settings },
	{ "event list", "[option]...", "show what happened",
	  "Shows the last 50 events.\n\n"
	  "  --follow                go on with new ones; ends with ^C\n"
	  "  --node NODE             of that node only\n"
	  "  --severity info|notice|warning|alarm  these and worse\n"
	  "  --most N                the last N, 1 to 1000\n", cli_event_list },
	{ "event add", "NODE --kind maintenance|backup [option]...", "plan maintenance or a backup of a node",
	  "Beforehand a spare takes its work, and the node is in maintenance before the window begins; afterwards it serves again, and\n"
	  "the spare is released. Without a spare its group keeps its minimum: then it waits, and `repave event list` says so.\n\n"
	  "  --kind maintenance|backup  maintenance: who is still there when it begins is thrown out; backup: he may stay\n"
	  "  --from TIME, --to TIME  the window: 2026-12-01T02:00Z, 2026-12-01T03:00+01:00, in local time 2026-12-01T02:00 or\n"
	  "                          14:00 (the next), or +30m from now on\n"
	  "  --weekly WINDOW         instead: each week, such as \"Sun 02:00-04:00\"; may be repeated\n"
	  "  --zone ZONE             its time zone, such as Europe/Stockholm (default UTC)\n"
	  "  --lead TIME             begin at least so long before (default 10m)\n"
	  "  --force                 also below the group's minimum\n"
	  "  --reason TEXT           for the journal\n", cli_event_add },
	{ "event planned", "[--json]", "list planned events", "Shows what is planned, and how far each is.\n", cli_event_planned },
	{ "event remove", "NUMBER", "end a planned event", "What was done for it is undone: the node serves again, and its spare goes.\n",
	  cli_event_remove },
	{ "hint add", "GROUP --users N|+N%|-N% --at TIME [--until TIME]", "say how many users a group will have",
	  "Servers come before they do. A hint ends by itself.\n\n"
	  "  --users N               so many, all servers of the group together; +50% or -20%: of those that there are then\n"
	  "  --at TIME               when they come; as for `repave event add`\n"
	  "  --until TIME            when they go (default: an hour later)\n", cli_hint_add },
	{ "hint list", "[--json]", "list the hints", "Shows those that aren't over.\n", cli_hint_list },
	{ "hint remove", "NUMBER", "end a hint", "It counts no more.\n", cli_hint_remove },
	{ "decisions", "[option]...", "show what was decided",
	  "Shows the last 50 decisions of rules and people: when, number, state, action, node, group, and why. States: granted (being\n"
	  "done), done, failed, cancelled, later (waits for pace, window or settling), denied (nobody is free, or the maximum is\n"
	  "reached), advised (mode \"advise\": it would be done).\n\n"
	  "  --follow                go on with new ones; ends with ^C\n"
	  "  --node NODE             about that node only\n"
	  "  --group GROUP           about that group only\n"
	  "  --most N                the last N, 1 to 1000\n", cli_decisions },
	{ "decide replay", "[--since TIME | ROUND]", "decide anew from what was seen, and compare",
	  "Takes the snapshots that decisions were made from, decides again on this machine, and says whether the same comes out.\n"
	  "ROUND is a round's number, shown by `repave decisions --json`.\n\n"
	  "  --since TIME            rounds of the last TIME, such as 1h (default 1d)\n\n"
	  "Exit status 1 when one differs: then another version of the program, or other code, decided.\n", cli_decide_replay },
	{ "rules show", "[--json]", "show the rule matrix", "Shows the rules in the order in which they win.\n", cli_rules_show },
	{ "rules check", "FILE", "say whether a fleet file's rules are good",
	  "Reads FILE as `repave apply` would, without a control unit, and names line and cause of what is wrong in it.\n", cli_rules_check },
	{ "rules explain", "NODE [--json]", "say which rules hold for a node, with what was measured",
	  "Shows each rule with its conditions and the measured values, and what would be decided now.\n", cli_rules_explain },
	{ "rules dry-run", "FILE [--json]", "say what a fleet file's rules would decide now",
	  "Takes the rules of FILE and the fleet as it is, and shows what would be decided. Nothing is changed.\n", cli_rules_dry_run },
	{ "notify list", "[--json]", "list who gets messages about decisions and events",
	  "Shows each target of the fleet file's notify: where its messages go, about what, how many arrived since the control unit\n"
	  "started, how many wait, and what came of the last try.\n", cli_notify_list },
	{ "notify test", "TARGET", "send a test message, and say whether it arrived",
	  "Exit status 1 when it failed; it isn't tried again.\n", cli_notify_test },
	{ "notify spool", "[TARGET] [--json]", "list the messages that wait",
	  "Shows when each is tried next, how often it failed, and why.\n", cli_notify_spool },
	{ "notify retry", "TARGET", "try all messages that wait for a target now", "Those that fail again wait again.\n", cli_notify_retry },
	{ "notify drop", "TARGET [--id ID]", "drop messages that wait for a target",
	  "All of them, unless one is named.\n\n"
	  "  --id ID                 only this one\n", cli_notify_drop },
	{ "audit list", "[option]...", "show who changed what",
	  "Shows the last 50 entries of the audit log: every call that changed something, and every refusal.\n\n"
	  "  --follow                go on with new ones; ends with ^C\n"
	  "  --most N                the last N, 1 to 1000\n", cli_audit_list },
	{ "assign", "NODE [option]...", "say what a node boots",
	  "Changes what NODE boots next time. What isn't named stays as it is.\n\n" ASSIGNMENT_HELP, cli_assign },
	{ "default", "[--none | option...]", "say what nodes without an assignment boot",
	  "Replaces the assignment that nodes get which have none; without options, shows it.\n\n" ASSIGNMENT_HELP
	  "  --none                  nothing: such nodes wait for `repave assign`\n", cli_default },
	{ "apply", "-f FILE [--dry-run] [--yes]", "make the fleet as a file says",
	  "Shows what a fleet file (YAML; repave-fleet(5) and docs/examples/fleet.yaml) would change, and changes it, all or\n"
	  "nothing. Without a terminal to ask at, --yes is needed. Groups that the file leaves out go, if it names any; nodes\n"
	  "that it leaves out stay as they are.\n\n"
	  "  -f, --file FILE         the file; \"-\" for standard input\n"
	  "  --dry-run               show only\n"
	  "  --yes                   don't ask\n\n"
	  "Exit status 0 also when there is nothing to do.\n", cli_apply },
	{ "fleet export", "[--json]", "print the fleet as a file for apply", "Applying what it prints changes nothing.\n", cli_fleet_export },
	{ "group list", "[--json]", "list the groups", "Shows each group's images, service, servers and sessions.\n", cli_group_list },
	{ "group deny", "GROUP", "send a group's new users away",
	  "The balancer answers them with 503 and Retry-After; users who have a session go on. `repave group admit` ends it.\n", cli_group_deny },
	{ "group admit", "GROUP", "let a group have new users again", "Ends `repave group deny`.\n", cli_group_admit },
	{ "group clear", "GROUP", "let a group's plans and cuts go on, after somebody looked",
	  "Too many servers that don't come back from a restart stop a group's planned ones (its policy's \"failures\"): look at them\n"
	  "with `repave restart list` first. Too many servers that were cut off for alarms (\"cuts\" of decisions) leave further alarms to\n"
	  "people: `repave event list --severity alarm`. Alarms that are pending are forgotten, and cuts count anew.\n", cli_group_clear },
	{ "balancer show", "[--watch] [--json]", "show what the balancers see",
	  "Shows each HAProxy and its servers.\n\n" "  --watch                 show it anew every 2 seconds; ends with ^C\n", cli_balancer_show },
	{ "balancer config", "[option]...", "print HAProxy's configuration",
	  "Prints a haproxy.cfg for the groups' services. Write it anew and reload HAProxy when groups or services change;\n"
	  "servers come and go without that.\n\n"
	  "  --socket SOCKET         for the HAProxy whose stats socket that is (default: the first of the fleet file)\n"
	  "  --unprivileged          for one that isn't started by root\n", cli_balancer_config },
	{ "balancer set", "NODE ready|drain|maint", "say whether a node gets users",
	  "ready: new users too, as soon as it serves; drain: only those who have a session there; maint: nobody.\n", cli_balancer_set },
	{ "netboot config", "--range FIRST,LAST | --proxy NETWORK/LENGTH [option]...", "print a dnsmasq configuration for network boot",
	  "Prints what dnsmasq needs so that servers boot stage 1 over the network, by BIOS or UEFI. Nothing is changed.\n\n"
	  "  --range FIRST,LAST      a DHCP server with these addresses\n"
	  "  --proxy NETWORK/LENGTH  proxy-DHCP in this network, beside a DHCP server that says nothing of booting\n"
	  "  --interface NAME        only there (default: every interface that has an address of that network)\n"
	  "  --tftp-root DIR         where build/boot/tftp was copied to (default /srv/repave/boot)\n"
	  "  --http URL              UEFI HTTP boot: where a web server has the same folder\n"
	  "  --control-unit ADDRESS[,ADDRESS]...  by DHCP option 224: asked before the one that the boot medium names\n"
	  "  --router ADDRESS        by DHCP (default: this machine)\n", cli_netboot_config },
	{ "completion", "bash|zsh", "print what a shell needs to complete this command line",
	  "For bash: `repave completion bash >/etc/bash_completion.d/repave`, or source it in ~/.bashrc. `make install` puts it in\n"
	  "place. Names of nodes and images come from the control unit.\n", cli_completion },
	{ "images", "[--json]", "list the images in the repository",
	  "Lists what the repository's signed metadata offers.\n", cli_images },
	{ "status", "[--watch] [--json]", "say whether the fleet is well, and what to do if not",
	  "Says first what needs somebody, each with the next step, the four most urgent of them; --json has them all. Then\n"
	  "counts nodes and images.\n\n" "  --watch                 show it anew every 2 seconds; ends with ^C\n", cli_show_status },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static bool has_noun(const struct command *command, const char *noun)
{
	size_t size = strcspn(command->words, " ");

	return strlen(noun) == size && !strncmp(command->words, noun, size);
}

/* Commands whose first word is `noun`, or all when it is NULL, below `title`. Whether there is one. */
static bool print_commands(FILE *to, const char *noun, const char *title)
{
	bool found = false;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (noun && !has_noun(&commands[i], noun))
			continue;
		if (!found)
			fputs(title, to);
		fprintf(to, "  %-16s %-29s %s\n", commands[i].words, commands[i].arguments, commands[i].summary);
		found = true;
	}
	return found;
}

static void print_usage(FILE *to)
{
	print_commands(to, NULL, "Usage: repave [--state DIR | --server URL --token-file FILE] COMMAND ...\n"
				 "Operates a control unit of Repave, on this machine or over the network.\n\n");
	fputs("\n  --state DIR        state folder (default $REPAVE_STATE, else " STATE_DEFAULT ")\n"
	      "  --server URL       https://HOST:PORT of a control unit's operator port (default $REPAVE_SERVER)\n"
	      "  --token-file FILE  the operator's token (default $REPAVE_TOKEN_FILE)\n"
	      "  --ca FILE          the control unit's ca.pem (default $REPAVE_CA, else ca.pem beside the token file)\n"
	      "  --json             the answer as JSON\n"
	      "  --help             after a command: its options\n\n"
	      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 control unit not reachable,\n"
	      "4 not reached in time (node watch).\n", to);
}

/* "--NAME VALUE" or "--NAME=VALUE" at argv[*at]. Whether it is that; `*value` NULL when the value is missing. */
static bool take_value(int argc, char *argv[], int *at, const char *name, const char **value)
{
	size_t size = strlen(name);

	if (strncmp(argv[*at], name, size) || (argv[*at][size] && argv[*at][size] != '='))
		return false;
	*value = argv[*at][size] ? argv[*at] + size + 1 : *at + 1 < argc ? argv[++*at] : NULL;
	return true;
}

/* Options that every command knows, wherever they stand; takes them out of argv. 0 or CLI_USAGE. */
static int take_common(int *argc, char *argv[], struct cli *cli, bool *ret_help)
{
	const struct {
		const char *name;
		const char **value;
	} options[] = { { "--state", &cli->state }, { "--server", &cli->server }, { "--token-file", &cli->token_file }, { "--ca", &cli->ca } };
	int kept = 1, most = *argc;

	for (int i = 1; i < most; i++) {
		bool taken = false;

		for (size_t o = 0; !taken && o < sizeof options / sizeof options[0]; o++) {
			taken = take_value(most, argv, &i, options[o].name, options[o].value);
			if (taken && !*options[o].value)
				return cli_usage(cli, "%s wants a value", options[o].name);
		}
		if (taken)
			continue;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			*ret_help = true;
		else if (!strcmp(argv[i], "--json"))
			cli->json = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	*argc = kept;
	return 0;
}

/* The command that argv names, and how many words that took. */
static const struct command *find_command(int argc, char *argv[], int *ret_words)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *second = strchr(commands[i].words, ' ');
		size_t first_size = strcspn(commands[i].words, " ");

		if (argc < 2 || strlen(argv[1]) != first_size || strncmp(argv[1], commands[i].words, first_size))
			continue;
		if (second && (argc < 3 || strcmp(argv[2], second + 1)))
			continue;
		*ret_words = second ? 2 : 1;
		return &commands[i];
	}
	return NULL;
}

/* For who typed a noun alone, or a verb that it doesn't have: those it has. */
static int unknown_command(char *argv[], bool help)
{
	FILE *to = help && !argv[2] ? stdout : stderr;
	char title[128];

	if (argv[2])
		snprintf(title, sizeof title, "repave: there is no command \"%.40s %.40s\"; there are\n", argv[1], argv[2]);
	else
		snprintf(title, sizeof title, "Usage: repave %.40s ...\n", argv[1]);
	if (print_commands(to, argv[1], title))
		return to == stdout ? CLI_OK : CLI_USAGE;
	fprintf(stderr, "repave: there is no command \"%s\"; `repave --help` lists them\n", argv[1]);
	return CLI_USAGE;
}

/* Takes "--watch" out of the arguments of a command whose help has it. */
static bool take_watch(const struct command *command, int *argc, char *argv[])
{
	int kept = 0, count = *argc;

	for (int i = 0; i < count; i++)
		if (strcmp(argv[i], "--watch") || !strstr(command->help, "--watch "))
			argv[kept++] = argv[i];
	argv[kept] = NULL;
	*argc = kept;
	return kept < count;
}

/* For `repave complete WORD...`: whose words are what somebody typed so far, so that nothing in them is an option of this run. */
static int complete_words(struct cli *cli, int argc, char *argv[])
{
	struct command_text texts[COMMANDS];
	char **copy = calloc((size_t)argc + 2, sizeof *copy);
	int count = argc;
	bool help;

	for (size_t i = 0; i < COMMANDS; i++)
		texts[i] = (struct command_text){ commands[i].words, commands[i].arguments, commands[i].help };
	if (!copy || !freopen("/dev/null", "w", stderr)) {
		free(copy);
		return CLI_FAILED;
	}
	/* Only to know whom to ask. */
	memcpy(copy, argv, (size_t)argc * sizeof *copy);
	take_common(&count, copy, cli, &help);
	free(copy);
	return cli_complete(cli, texts, COMMANDS, argc - 1, argv + 1);
}

/* NULL for what is unset or empty. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int main(int argc, char *argv[])
{
	const char *given = environment("REPAVE_STATE"), *state = given ? given : STATE_DEFAULT;
	struct cli cli = { .command = "", .state = state, .server = environment("REPAVE_SERVER"),
			   .token_file = environment("REPAVE_TOKEN_FILE"), .ca = environment("REPAVE_CA") };
	const struct command *command;
	bool help = false;
	int words = 0, r;

	log_program("repave");
	if (argc > 1 && !strcmp(argv[1], "complete"))
		return complete_words(&cli, argc - 1, argv + 1);
	r = take_common(&argc, argv, &cli, &help);
	if (r)
		return r;
	/* Who names a state folder means this machine, whatever the environment says. */
	if (cli.state != state && cli.server == environment("REPAVE_SERVER"))
		cli.server = NULL;
	command = find_command(argc, argv, &words);
	if (!command && argc > 1)
		return unknown_command(argv, help);
	if (!command) {
		print_usage(help ? stdout : stderr);
		return help ? CLI_OK : CLI_USAGE;
	}
	if (help) {
		printf("Usage: repave [--state DIR] %s %s\n%s", command->words, command->arguments, command->help);
		return CLI_OK;
	}
	cli.command = command->words;
	argc -= 1 + words;
	argv += 1 + words;
	if (take_watch(command, &argc, argv))
		return cli_repeat(&cli, command->run, argc, argv);
	return command->run(&cli, argc, argv);
}
