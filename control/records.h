/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records about who may do what, as they are in the store: tokens, machines that wait, operators, audit log, events. */
#ifndef CONTROL_RECORDS_H
#define CONTROL_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"

#define TOKEN_SIZE 64u        /* characters of a secret token: 32 random bytes in hexadecimal */
#define TOKEN_ID_SIZE 8u      /* hexadecimal digits, for people: no part of the secret */
#define NOTE_MOST 80u
#define OPERATOR_NAME_MOST 32u
#define EVENTS_KEPT 100000u

/* A join token. Times in seconds since 1970; 0: never. */
struct token {
	char id[TOKEN_ID_SIZE + 1];
	char hash[DIGEST_TEXT + 1];   /* SHA-256 of the token's text; the token itself is stored nowhere */
	int64_t created, expires, revoked;
	uint64_t uses, used;          /* uses 0: no limit */
	char note[NOTE_MOST + 1];
};

/* A machine that may not enrol before an operator says so, or the former one has been silent for long enough. */
struct enrolment {
	char id[NODE_ID_SIZE + 1];
	char key[DIGEST_TEXT + 1];    /* the only one that an approval is for */
	char serial[DMI_TEXT_MOST + 1];
	json_t *macs;                 /* owned; list of strings */
	char reason[ERROR_TEXT];
	char address[ADDRESS_MOST + 1];
	int64_t since;
	bool alarm;                   /* its operator was told that something is wrong */
	bool approved;
};

void enrolment_release(struct enrolment *enrolment);

enum role { ROLE_VIEWER, ROLE_AUDITOR, ROLE_OPERATOR, ROLE_ADMIN };

struct operator_record {
	char name[OPERATOR_NAME_MOST + 1];
	enum role role;
	char hash[DIGEST_TEXT + 1];   /* SHA-256 of the token's text */
	int64_t created;
};

/* Who called what; texts are borrowed and printable. */
struct audit_entry {
	int64_t time;
	const char *who, *role, *from; /* "uid 0", "admin", "local" */
	const char *method, *path;
	const char *what;              /* in words, without secrets */
	unsigned status;
};

enum severity { SEVERITY_INFO, SEVERITY_NOTICE, SEVERITY_WARNING, SEVERITY_ALARM };

/* Texts are borrowed and printable. */
struct event {
	int64_t time;
	const char *node;              /* "" for none */
	enum severity severity;
	const char *kind, *text;
	const json_t *data;            /* an object, or NULL */
};

/* "info" … "alarm". */
const char *severity_name(enum severity severity);
/* 0 or -EINVAL. */
int severity_parse(const char *text, enum severity *ret_severity);
/* "viewer" … "admin". */
const char *role_name(enum role role);
int role_parse(const char *text, enum role *ret_role);

#endif
