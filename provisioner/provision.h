/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of one boot share. Each step returns 0 or -errno with a sentence in `error`. */
#ifndef PROVISIONER_PROVISION_H
#define PROVISIONER_PROVISION_H

#include <stdbool.h>

#include "common/http.h"
#include "provisioner/assignment.h"
#include "provisioner/config.h"
#include "provisioner/console.h"
#include "provisioner/disk.h"
#include "provisioner/identify.h"
#include "provisioner/install.h"
#include "provisioner/sentence.h"
#include "provisioner/state.h"
#include "signing/client.h"
#include "signing/verified.h"

#define NONCE_DIGITS 32

/* One of C: and D: in this boot. */
struct volume {
	struct verified_image *image;      /* NULL: nothing assigned */
	enum part part;                    /* the slot it was installed in */
	char path[BLOCKDEV_NAME + 8];      /* that slot's device node */
	struct install_result result;
	bool installed;
};

struct provision {
	struct config config;
	struct identity identity;
	struct stages stages;
	struct http *control;    /* to the control unit, with the token */
	struct http *repository; /* plain */
	struct disk disk;
	struct state state;
	struct tuf_client *tuf;
	char nonce[NONCE_DIGITS + 1];
	struct assignment assignment;
	struct volume c, d;
	char error[SENTENCE];
};

/* control.c: begins an attempt to boot, or goes on with one: one nonce for its question and its reports. 0 or -EIO. */
int begin_attempt(struct provision *p);
/* control.c: asks until there is an assignment that is an answer to this attempt's nonce. Only lack of memory ends it. */
int ask_for_assignment(struct provision *p);
/* control.c: tells the control unit; best effort, never waits long. `event` "progress", "kexec" or "failed" (with p->error); before
 * there is an assignment only "failed" is told. Whether the control unit answered. */
bool report(struct provision *p, const char *event);
/* control.c: the "stages" and "images" of a report and of boot.json. A new reference, or NULL. */
json_t *images_json(const struct provision *p);

/* main.c: writes STATE; a STATE that can't be written is said on the console, and keeps no server from booting. */
void save_state(struct provision *p);

/* trust.c: TUF refresh over the network; waits as long as the repository can't be reached, and tells the control unit so. */
int refresh_trust(struct provision *p);
/* trust.c: the assigned targets as verified images that fit each other. */
int resolve_images(struct provision *p);

/* fetch.c: makes a slot of the group equal to the volume's image. */
int fetch_volume(struct provision *p, struct volume *volume, enum part first_slot);

/* boot.c: reads kernel and initrd through dm-verity and jumps. Returns only on failure. */
int boot(struct provision *p);

#endif
