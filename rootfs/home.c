/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home: mounts H:, the user data that outlive reboots and images, at /h, and the application's part of it where its description
 * declares a home. The OS runs it at each start. What can't be had never keeps the system from running: in its place is then an
 * empty folder that nobody can write to, so that nothing is stored where the next boot loses it. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "rootfs/app-spec.h"
#include "rootfs/home-mount.h"
#include "rootfs/home.h"

#define APP_JSON "/app/app.json"

static const char usage[] =
	"Usage: home [--stop]\n"
	"Mounts H: at " HOME_MOUNT " as the assignment says, and the application's part of it; what became of it is in\n"
	HOME_STATE ". Run by the OS.\n"
	"  --stop   unmount it again, within 20 seconds; status 1: not everything could be written back\n";

/* ------------------------------------------------------------------ what is wanted */
/* Without an application, or with one that app-run will refuse, there is no home of one. */
static void load_app(struct home *home)
{
	struct buffer text = { 0 };
	char error[160];

	if (file_load(APP_JSON, APP_SPEC_BYTES_MOST, &text) == 0 && app_spec_parse(text.data, text.size, &home->app, error) < 0)
		app_spec_release(&home->app);
	buffer_release(&text);
}

/* A stage 1 from before there was H: hands over nothing. */
static int load_choice(struct home *home)
{
	char *choice = read_line_of(HOME_FOLDER "/choice"), *device = read_line_of(HOME_FOLDER "/device"),
	     *node = read_line_of(HOME_FOLDER "/node"), *closed = read_line_of(HOME_FOLDER "/closed");
	int r = home_choice_parse(choice != NULL ? choice : "none", &home->choice);

	snprintf(home->text, sizeof(home->text), "%s", r == 0 && choice != NULL ? choice : "none");
	snprintf(home->device, sizeof(home->device), "%s", device != NULL ? device : "");
	snprintf(home->node, sizeof(home->node), "%s", node != NULL ? node : "");
	snprintf(home->closed, sizeof(home->closed), "%s", closed != NULL ? closed : "");
	free(choice);
	free(device);
	free(node);
	free(closed);
	if (home->choice.kind == HOME_AUTO)
		home->choice.kind = home->app.home != NULL ? HOME_LOCAL : HOME_NONE;
	return r;
}

/* ------------------------------------------------------------------ telling */
/* On the console too: nobody reads the log of a server whose data aren't there. */
static void say(const char *text)
{
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	log_info("%s", text);
	if (fd >= 0) {
		dprintf(fd, "repave: H: %s\n", text);
		close(fd);
	}
}

void home_tell(struct home *home, const char *state, const char *text)
{
	json_t *json = json_pack("{s:i,s:s,s:s,s:s}", "format", 1, "choice", home->text, "state", state, "text", text);
	char *line = json != NULL ? json_format(json) : NULL;
	int r = line != NULL ? file_store(HOME_STATE, line, strlen(line), 0644) : -ENOMEM;

	if (text[0] != '\0')
		say(text);
	if (r < 0)
		log_error(r, "can't write " HOME_STATE);
	free(line);
	json_decref(json);
}

/* ------------------------------------------------------------------ the story */
static int start(struct home *home)
{
	char text[HOME_TEXT] = "";
	int r = load_choice(home);

	if (r == 0 && home->choice.kind == HOME_NONE)
		r = home_make_folder(home, text);
	else if (r == 0)
		r = home->choice.kind == HOME_LOCAL ? home_open_local(home, text) : home_open_nfs(home, text);
	if (r < 0) {
		home_hold_place(home);
		home_tell(home, "failed", text[0] != '\0' ? text : "its configuration isn't sound: assign it again");
		return r;
	}
	home_tell(home, home->choice.kind == HOME_NONE ? "none" : home->read_only ? "read-only" : "mounted", text);
	return 0;
}

int main(int argc, char **argv)
{
	static struct home home;
	bool stop = argc == 2 && strcmp(argv[1], "--stop") == 0;
	int r;

	log_program("home");
	if (argc > 1 && !stop) {
		bool help = strcmp(argv[1], "--help") == 0;

		fputs(usage, help ? stdout : stderr);
		return help ? 0 : 2;
	}
	load_app(&home);
	if (stop) {
		return home_close(&home) < 0;
	}
	r = make_folders(HOME_FOLDER, 0700);
	if (r < 0)
		log_error(r, "can't make " HOME_FOLDER);
	/* What failed was told; started again it would fail again. */
	start(&home);
	app_spec_release(&home.app);
	return 0;
}
