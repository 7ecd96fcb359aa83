/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How H: is mounted. All of these want to be root, and may take long: what they wait for is told after a while by home_tell with
 * the state `waiting`, with a place held that nobody can write to, and they go on. */
#ifndef ROOTFS_HOME_MOUNT_H
#define ROOTFS_HOME_MOUNT_H

#include <stdbool.h>

#include "common/home-choice.h"
#include "rootfs/app-spec.h"

#define HOME_TEXT 256u

struct home {
	struct home_choice choice; /* HOME_AUTO no more */
	char text[HOME_CHOICE_MOST + 1];
	char device[80];           /* of partition H, "" for none */
	char node[40];
	char closed[HOME_TEXT];    /* why the partition isn't handed over though there may be one; "" */
	struct app_spec app;       /* app.home: where the application wants its part, NULL for nowhere */
	bool read_only;            /* it is damaged, or its disk is read-only */
	bool waiting;              /* a place is held, and it was told */
};

/* Leaves word for app-run, the agent and the console. `text` may be "": nothing to say. */
void home_tell(struct home *home, const char *state, const char *text);

/* Each: 0 (with a sentence in `ret_text` where there is something to say), or -errno with one. */
int home_open_local(struct home *home, char ret_text[HOME_TEXT]);
int home_open_nfs(struct home *home, char ret_text[HOME_TEXT]);
/* The application's home in RAM. */
int home_make_folder(struct home *home, char ret_text[HOME_TEXT]);
/* Empty folders that nobody can write to, at /h and for the application. */
void home_hold_place(struct home *home);
/* Writes back what can be written within 20 s, and unmounts. 0; or -errno when not all was written. */
int home_close(struct home *home);

#endif
