/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of one boot share. Each step returns 0 or -errno with a sentence in `error`. */
#ifndef PROVISIONER_PROVISION_H
#define PROVISIONER_PROVISION_H

#include <stdbool.h>

#include "common/attest-tpm.h"
#include "common/http.h"
#include "provisioner/assignment.h"
#include "provisioner/cmdline.h"
#include "provisioner/config.h"
#include "provisioner/console.h"
#include "provisioner/credential.h"
#include "provisioner/disk.h"
#include "provisioner/identify.h"
#include "provisioner/rest.h"
#include "provisioner/install.h"
#include "provisioner/seal.h"
#include "provisioner/sentence.h"
#include "provisioner/state.h"
#include "provisioner/tries.h"
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

/* What is known of the start before this boot. */
struct last_start {
	bool known;              /* else nothing: no disk, none before, or an image that leaves no mark */
	bool arrived;            /* stage 2 of the image ran */
	enum start_way way;
	char nonce[NONCE_DIGITS + 1];
};

/* This machine's TPM, over all tries. */
struct platform {
	struct tpm tpm;
	bool present;
	json_t *events;              /* what was extended since the reset, as far as Repave knows */
	json_t *planned;             /* the same with what the start of the system in c and d adds; handed over */
	struct buffer firmware_log;  /* may be empty */
	char *question;              /* who the TPM is: made once, for that takes a slow one seconds */
	char session[33];            /* of the last quote that the control unit judged; empty: none */
	bool proved;                 /* and it was good */
	double asked_at;             /* up-time at which it was tried last; 0: never */
	bool unasked;                /* this control unit knows nothing of TPMs */
	char said[ATTEST_TEXT];      /* on the console, last */
	uint64_t floor;              /* the counter; 0: none */
	bool floor_made;             /* in this boot */
	char floor_lost[SENTENCE];   /* why there is none, though there is a TPM; empty: there is one */
};

struct provision {
	struct config config;
	struct buffer words;     /* of the kernel command line and SMBIOS */
	struct identity identity;
	struct stages stages;
	struct http *control;    /* to the control unit, with the certificate in `node` */
	struct credential node;  /* of this machine, over all tries */
	struct credential agent; /* of the system that this boot starts */
	struct http *repository; /* plain */
	struct platform platform;
	struct disk disk;
	struct state state;
	struct tuf_client *tuf;
	char nonce[NONCE_DIGITS + 1];
	struct assignment assignment;
	struct volume c, d;
	double heard;            /* up-time at which the control unit answered last, or this try began */
	double look_at;          /* up-time from which another network is looked for */
	struct {
		bool on;             /* C: and D: of the disk are ciphertexts in this boot */
		bool open[PARTS];    /* which of them are mapped */
	} rest;                  /* rest.h */
	char loop[32];           /* the loop device over C: in RAM; empty: none */
	bool tls_refused;        /* the last question failed at the control unit's certificate */
	bool identity_refused;   /* the last question failed at ours */
	bool clock_asked;        /* others were asked for the time in this try */
	struct last_start last;
	enum start_way start;    /* how this boot ends */
	struct image_marks {
		/* What stage 2 of the image in c can: leave a mark, be started by the firmware, pat on, make users' accounts, open an encrypted H:,
		 * open encrypted C: and D:. */
		bool mark, reset, watchdog, users, crypt, rest;
	} marks;
	uint16_t boot_entry;     /* the firmware's number of the entry that reset_prepare wrote */
	bool offline;            /* no control unit had a say in this boot */
	bool words_sent;         /* send_last_words had nothing left to do */
	bool damaged;            /* the last start failed at what C: holds */
	bool last_good;          /* c and d aren't what was assigned */
	struct failures failures; /* installs, over all tries */
	char notice[SENTENCE];   /* what the operator should know of this boot though it goes on; empty: nothing */
	char error[SENTENCE];
};

/* enrol.c: takes the key that STATE keeps, with its certificate, unless there is one already; else there is none yet. */
void load_identity(struct provision *p);
/* enrol.c: puts both into STATE. Not stored yet. */
void keep_identity(struct provision *p);
/* enrol.c: sees to it that this machine has a certificate that it can show, with load_identity or enrol. */
int ensure_identity(struct provision *p);
/* enrol.c: asks by the join token for a certificate, with a new key where there is none, for as long as it takes an operator to let this
 * machine in. 0; -ENETDOWN as pause_unreachable; -EIO, -ENOMEM. */
int enrol(struct provision *p);
/* enrol.c: TLS failed with the certificate of STATE, which whoever was root in the OS may have written: asks once without it, by the token.
 * Whether there is another certificate now; p->error stays as it was. */
bool enrol_at_once(struct provision *p);
/* enrol.c: a fresh certificate when half of the present one's life is over; best effort. */
void renew_identity(struct provision *p);
/* enrol.c: the agent's key and certificate, after there is an assignment. Without them the boot goes on, with a notice. */
void get_agent_credential(struct provision *p);
/* enrol.c: wipes all keys and what was made of them; what STATE keeps stays on the disk. */
void forget_keys(struct provision *p);

/* control.c: https://…/v1/nodes/{id}/`call`. */
void node_url(const struct provision *p, const char *call, char url[512]);
/* control.c: a client for the control unit, with a token to show or "" . NULL when out of memory. */
struct http *open_control(const struct provision *p, const char *token);

/* control.c: begins an attempt to boot, or goes on with one: one nonce for its question and its reports. 0 or -EIO. */
int begin_attempt(struct provision *p);
/* control.c: asks until there is an assignment that is an answer to this attempt's nonce. Lack of memory and the end of the fleet's CA end it. */
int ask_for_assignment(struct provision *p);
/* control.c: tells the control unit; best effort, never waits long. `event` "progress", "kexec" or "failed" (with p->error); before
 * there is an assignment only "failed" is told. Whether the control unit answered. */
bool report(struct provision *p, const char *event);
/* said.c: the console's lines of this boot; best effort. */
void send_boot_log(struct provision *p);
/* said.c: the last words of the kernel before, where there are some. Whether they needn't be sent again. */
bool send_last_words(struct provision *p);
/* control.c: how far long work of the current stage is, an object of docs/protocol.md, which it takes over; says nothing on the console. */
bool report_progress(struct provision *p, json_t *progress);
/* control.c: the "stages" and "images" of a report and of boot.json. A new reference, or NULL. */
json_t *images_json(const struct provision *p);

/* sanitize.c: clears this server of what a former account left, as the answer orders, tells the control unit, and resets. Returns only on failure. */
int sanitize(struct provision *p);
/* sanitize.c: forgets how far that was, once there is an assignment again. Not stored yet. */
void sanitize_forget(struct provision *p);
/* sanitize.c: adds to a question which kernel this is, and whether the firmware cleared the memory when it was asked to. */
void sanitize_tell(const struct provision *p, json_t *question);
/* enrol.c: another key for this server, in place of one that the former system could read. 0 or -errno with a sentence; then the old one stays. */
int change_key(struct provision *p);

/* main.c: one thing more that the operator should know of this boot. */
void add_notice(struct provision *p, const char *text);

/* main.c: the disk that was found or laid out (`made`) is this server's from here on: STATE is read from it. Nothing is stored yet. */
void use_disk(struct provision *p, bool made);

/* main.c: writes STATE; a STATE that can't be written is said on the console, and keeps no server from booting. */
void save_state(struct provision *p);

/* main.c: control units and time servers that the newest lease names. */
void heed_lease(struct provision *p);

/* control.c: between two tries to reach the control unit: the next address at once, or a pause when all have been tried. `error`
 * says why. 0, or -ENETDOWN when policy says that it has taken too long: boot_offline is next then. */
int pause_unreachable(struct provision *p, unsigned *tries);
/* offline.c: boots the last good system by the metadata in STATE. Returns only when that can't be; p->error says why. */
int boot_offline(struct provision *p);

/* trust.c: TUF refresh over the network; waits as long as the repository can't be reached (or until policy ends it: -ENETDOWN), and
 * tells the control unit so. */
int refresh_trust(struct provision *p);
/* trust.c: these targets (`app_target` NULL: none) as verified images that fit each other, in place of what c and d had. */
int resolve_images(struct provision *p, const char *os_target, const char *app_target);

/* choose.c: the assigned images stay, or, after too many starts that never became healthy, make way for the last good ones. */
int choose_system(struct provision *p);
/* choose.c: the disk failed where the system in c and d was to be written (p->error says how): it goes to RAM where there is enough, or
 * makes way for the last good one. */
int do_without_slot(struct provision *p);
/* choose.c: the system in c and d couldn't be installed (`error`, and p->error says how). After as many tries as starts are allowed, the
 * last good one takes its place; else `error` again. */
int do_without_install(struct provision *p, int error);
/* choose.c: what is in c and d, with their slots. */
void pair_of(const struct provision *p, struct system_pair *ret_pair);

/* settime.c: sets the clock where it can't be right. After look_for_state, which may know the last time. 0; -EKEYEXPIRED when the fleet's
 * CA has ended. */
int check_clock(struct provision *p);
/* settime.c: something has expired or isn't valid yet. Asks for the time, once in a try; 1 when the clock was wrong, else 0 or
 * -EKEYEXPIRED. */
int doubt_clock(struct provision *p);
/* settime.c: the control unit told its time with an answer, `date` (0: it didn't). A clock that is behind it is set: what
 * expired in between looked fresh. 1 when it was, and the metadata is to be checked anew; 0; -EKEYEXPIRED. */
int heed_date(struct provision *p, int64_t date);
/* settime.c: puts the time into STATE (not stored yet): the control unit's certificate and the metadata were valid at it. 0 or
 * -ENOMEM. */
int note_time(struct provision *p);

/* main.c: C: and D: of this boot are in RAM, because of `why`. 0; -ENOMEM with the figures; or -errno. */
int slots_in_ram(struct provision *p, const char *why);
/* main.c: fills C: and D: for the images in c and d. */
int fill_slots(struct provision *p);
/* main.c: starts what is in C:, if need be after it was checked in full. Returns only on failure. */
int boot_or_repair(struct provision *p);
/* fetch.c: makes a slot of the group equal to the volume's image. */
int fetch_volume(struct provision *p, struct volume *volume, enum part first_slot);

/* platform.c: opens the TPM at `path`, if there is one, and its counter. */
void platform_open(struct provision *p, const char *path);
/* platform.c: a rescue shell ("shell", "ssh") is about to be opened: this boot can't attest any more. Keeps the events in ATTEST_EVENTS.
 * 0 also without a TPM; or -errno with a sentence. */
int platform_note_rescue(const char *path, const char *what, char ret_error[SENTENCE]);
/* platform.c: the metadata in p->tuf aren't older than what the TPM remembers. 0 or -EBADMSG. */
int platform_check_floor(struct provision *p);
/* platform.c: the TPM remembers that metadata. Best effort. */
void platform_raise_floor(struct provision *p);
/* platform.c: proves to the control unit what was booted so far, unless that was done lately. Best effort. */
void platform_attest(struct provision *p);
/* platform.c: what the start of the system in c and d with this command line and kernel (`kernel_size` bytes of the file) is going to
 * measure, into p->platform.planned. 0 or -errno. */
int platform_plan(struct provision *p, const struct buffer *cmdline, int kernel, uint64_t kernel_size);
/* platform.c: measures that, right before the start. What isn't measured doesn't attest; but after a proof, by which this boot may have got secrets, an
 * empty PCR would let root of the system pose as stage 1: -errno with a sentence, and it mustn't be started. `path`: of a TPM that couldn't be asked at
 * first; its PCR is spoilt if it can now. */
int platform_measure(struct provision *p, const char *path);

/* boot.c: reads kernel and initrd through dm-verity and starts them. Returns only on failure. */
int boot(struct provision *p);

/* What was read from the verified image; the initrd with its appended archive. */
struct reset_files {
	int kernel, initrd;
	uint64_t kernel_size, initrd_size;
};

/* reset.c: whether the firmware can start the image in c on this machine. 0, or -EOPNOTSUPP with the reason. */
int reset_possible(struct provision *p);
/* reset.c: a new key for what must not lie readable on the disk; the firmware keeps it over the reset. 0 or -errno. */
int reset_key(struct provision *p, uint8_t ret_key[SEAL_KEY_SIZE]);
/* reset.c: writes the files to the ESP, reads them back, and makes the boot entry. 0 or -errno. */
int reset_prepare(struct provision *p, const struct reset_files *files, const struct buffer *cmdline);
/* reset.c: tells the firmware to start that entry once, and resets. Returns only on failure. */
int reset_go(struct provision *p);
/* reset.c: a cold reset, by way of the firmware. Returns only on failure. */
int reset_cold(struct provision *p);
/* reset.c: removes the key of a start that never came to pass. */
void reset_forget(struct provision *p);

#endif
