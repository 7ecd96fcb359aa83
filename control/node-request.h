/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nodes send: parsers of "POST …/boot", "…/report", "…/enrol" and "…/agent" of docs/protocol.md. Pure: bytes in, structs out. */
#ifndef CONTROL_NODE_REQUEST_H
#define CONTROL_NODE_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"
#include "control/starts.h"

#define NODE_BODY_MOST (64u * 1024)
#define STAGE1_VERSION_MOST 64u
#define STAGE_NAME_MOST 32u
#define REPORT_ERROR_MOST 512u
#define DMI_TEXT_MOST 256u
#define SLOT_NAME_SIZE 2u
#define BOOT_ID_MOST 36u
#define MEMORY_WORD_MOST 16u

struct boot_request {
	char nonce[NONCE_SIZE + 1];
	char stage1_version[STAGE1_VERSION_MOST + 1];
	json_t *inventory; /* known members only, each checked; owned */
	json_t *slots;     /* "C0" … "D1": root hash or null; owned */
	struct last_start last_start;
	char boot_id[BOOT_ID_MOST + 1];     /* of the kernel that stage 1 runs in; "" from one that doesn't say */
	bool encrypts;                      /* this stage 1 can have C: and D: as ciphertexts */
	char memory[MEMORY_WORD_MOST + 1];  /* what became of a request to clear memory: "cleared", "not cleared"; "" */
	bool memory_zeroed;                 /* that kernel zeroed all memory before it used any */
	char attestation[NONCE_SIZE + 1]; /* the session by which its TPM proved something; "" without */
};

/* BOOT_KEXEC and BOOT_RESET: its system starts, in this way. */
enum boot_event { BOOT_PROGRESS, BOOT_KEXEC, BOOT_RESET, BOOT_FAILED };

/* How far long work of a stage is. Bytes of that phase; all 0 and "" when the node doesn't say. */
struct boot_progress {
	char slot[SLOT_NAME_SIZE + 1];
	char target[DMI_TEXT_MOST + 1];
	char phase[STAGE_NAME_MOST + 1];    /* tree check copy fetch sync */
	uint64_t done, total;               /* done <= total */
	uint64_t rate;                      /* bytes per second, lately */
};

struct boot_report {
	char nonce[NONCE_SIZE + 1];
	uint64_t assignment;                /* 0: the boot ended before there was one */
	enum boot_event event;
	char stage[STAGE_NAME_MOST + 1];
	char error[REPORT_ERROR_MOST + 1];  /* printable; "" without */
	struct boot_progress progress;
	json_t *stages;                     /* list of {"name", "seconds"}; owned */
	json_t *images;                     /* list of what each slot kept, copied and fetched; owned */
};

/* Parses the body of a boot request of node `id`. 0; -EINVAL with a sentence in `ret_error`; -ENOMEM.
 * The caller releases. Members that aren't known are left out: a newer stage 1 may send more. */
int boot_request_parse(const void *body, size_t size, const char *id, struct boot_request *ret_request,
		       char ret_error[ERROR_TEXT]);
void boot_request_release(struct boot_request *request);

int boot_report_parse(const void *body, size_t size, struct boot_report *ret_report, char ret_error[ERROR_TEXT]);
void boot_report_release(struct boot_report *report);

/* A machine asks for an identity, or an agent for its credential. */
struct enrol_request {
	char nonce[NONCE_SIZE + 1]; /* of the boot, for an agent; "" for a node */
	json_t *csr;                /* owned; a string of PEM that nobody has looked at */
	json_t *inventory;          /* as of a boot request; owned; NULL for an agent */
};

/* The same for the bodies of "enrol" (of node `id`), "agent" and "certificate". */
int enrol_request_parse(const void *body, size_t size, const char *id, struct enrol_request *ret_request,
			char ret_error[ERROR_TEXT]);
int agent_request_parse(const void *body, size_t size, bool with_nonce, struct enrol_request *ret_request, char ret_error[ERROR_TEXT]);
void enrol_request_release(struct enrol_request *request);

/* "progress", "kexec", "reset", "failed". */
const char *boot_event_name(enum boot_event event);
/* 0 or -EINVAL. */
int boot_event_parse(const char *text, enum boot_event *ret_event);

#endif
