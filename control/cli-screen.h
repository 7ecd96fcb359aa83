/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A terminal that is written over, and the end by ^C of whatever goes on until then. */
#ifndef CONTROL_CLI_SCREEN_H
#define CONTROL_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "control/cli.h"

/* A screen of its own, so that the terminal's history stays as it was; no cursor, which would flicker. */
#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define TO_TOP "\033[H"
#define END_OF_LINE "\033[K\n"
#define CLEAR_BELOW "\033[J"

/* Standard output is a terminal that can be written over. */
bool screen_is_live(void);
size_t screen_columns(void);
size_t screen_lines(void);
/* Writes a sequence at once. */
void screen_say(const char *sequence);

/* From now on SIGINT, SIGTERM and SIGHUP don't end the program; screen_interrupted has the last one's number, or 0. */
void screen_catch_signals(void);
int screen_interrupted(void);

/* Seconds by CLOCK_MONOTONIC; sleeps until then, or until a signal. */
double screen_clock(void);
void screen_pause(double until);

/* Runs a command and shows what it prints, every 2 seconds until ^C: written over on a terminal, else one block behind the other. An enum
 * cli_status: the command's own when its first run failed. */
int cli_repeat(const struct cli *cli, int (*run)(const struct cli *cli, int argc, char *argv[]), int argc, char *argv[]);

#endif
