/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of the fleet, as they are in memory and in the store. */
#ifndef CONTROL_MODEL_H
#define CONTROL_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/alarm-record.h"
#include "control/assignment.h"
#include "control/history.h"
#include "control/life.h"
#include "control/live.h"
#include "control/node-request.h"
#include "control/order.h"
#include "control/probe-record.h"
#include "control/starts.h"

#define ADDRESS_MOST 63u
#define DIGEST_TEXT 64u /* lower-case hexadecimal digits of a SHA-256 */
#define WAY_MOST 24u
#define LIFE_REASON_MOST 159u
#define GROUP_NAME_MOST 63u
#define SERVICE_ADDRESS_MOST 79u /* "[IPv6]:port" */
#define INET_TEXT_MOST 45u          /* numeric IPv4 or IPv6 */
#define PLACE_MOST 63u
#define WEIGHT_MOST 256u         /* HAProxy's */
#define WEIGHT_DEFAULT 100u

/* What an operator or a restart wants of the balancer. */
enum balancer_want { BALANCER_READY, BALANCER_DRAIN, BALANCER_MAINT };

/* What the balancers last said of a node: of several the sum of sessions and queue, and the state of the one that is furthest behind. */
struct balancer_view {
	bool complete;           /* each HAProxy answered within the last seconds; else there may be more users than these */
	bool known;              /* one of them has it in the backend of its group */
	enum balancer_want state;
	bool up;                 /* its check, at all of them */
	char check[16];          /* as HAProxy writes it: "L7OK"; "" before the first */
	uint64_t sessions, queue;
	uint64_t response_ms;    /* average over the last 1024 requests; the slowest of them */
	uint64_t seconds;        /* since it was looked at; of several the oldest */
};

/* Who may speak for a node. */
struct identity {
	char key[DIGEST_TEXT + 1];         /* SHA-256 of the SubjectPublicKeyInfo; "" before it enrolled */
	int64_t issued;                    /* when its certificate was */
	char way[WAY_MOST + 1];            /* what let it in: "token ID", "allow list" or "approval" */
	char serial[DMI_TEXT_MOST + 1];    /* the machine that it is bound to */
	json_t *macs;                      /* owned; list of strings */
	char agent_key[DIGEST_TEXT + 1];   /* the only one its agent may use; "" for none */
	char agent_nonce[NONCE_SIZE + 1];  /* the boot that this was for */
};

/* What is remembered of a node's agent: what it was acknowledged must not be stored twice. */
struct channel {
	char boot_id[BOOT_ID_SIZE + 1];           /* of the boot that was heard last; "" before the first */
	uint64_t alarms;                          /* sequence of its last one that is stored */
	uint64_t lost;                            /* how many it had to drop, as it last said */
};

/* One boot of a node, from its first request with a nonce. */
struct boot {
	char nonce[NONCE_SIZE + 1];
	int64_t started;                          /* seconds since 1970, control unit's clock */
	int64_t updated;
	uint64_t assignment;                      /* 0: it ended before there was one */
	char os_target[TARGET_PATH_MOST + 1];     /* what was assigned; "" for none */
	char app_target[TARGET_PATH_MOST + 1];
	enum boot_event event;
	char stage[STAGE_NAME_MOST + 1];
	char error[REPORT_ERROR_MOST + 1];
	json_t *stages;                           /* owned; lists of docs/protocol.md */
	json_t *images;
};

struct restart_record;
struct attest_record;

/* What a node's agent may cause in a minute: it may be an attacker's. In memory only. */
struct allowed {
	int64_t minute;                           /* since 1970 */
	unsigned events, moves;                   /* in the journal; of its life */
	unsigned left_out;                        /* alarms that are counted, and told of when the minute is over */
	int64_t second;
	unsigned statuses;                        /* in it */
};

struct node {
	char id[NODE_ID_SIZE + 1];
	int64_t enrolled;                         /* seconds since 1970 */
	int64_t last_seen;                        /* in memory only: heartbeats aren't worth a write */
	char address[ADDRESS_MOST + 1];           /* where its last stored request came from */
	char stage1_version[STAGE1_VERSION_MOST + 1];
	json_t *inventory;                        /* owned */
	json_t *slots;                            /* owned */
	struct identity identity;
	char alarm[ERROR_TEXT];                   /* what it was last refused for; in memory only: told once */
	struct life life;
	int64_t life_since;                       /* seconds since 1970 */
	char life_reason[LIFE_REASON_MOST + 1];
	char boot_failure[LIFE_REASON_MOST + 1];  /* what its boots fail for; "" since one didn't; in memory only */
	struct history history;                   /* control/learned.h stores it */
	struct standing {                         /* a decision that holds as long as it isn't done: told once; in memory only */
		uint64_t row;                     /* of the journal; 0: none */
		uint32_t what;                    /* hash of rule and verdict */
		uint32_t round;                   /* in which it stood last */
		int64_t retry;                    /* seconds since 1970: what failed isn't tried before */
	} standing;
	int64_t idle_off;                         /* when it was last told to shut down for idleness; in memory only */
	struct restart_record *restart;           /* that is under way, control/dispatch.h; borrowed, NULL without; in memory only */
	int64_t boot_began;                       /* 0: no boot under way, or told that it takes long; in memory only */
	struct live *live;                        /* owned; NULL before its agent was heard in this boot; in memory only */
	struct probe_record probe;                /* what the control unit's own question to its service found; in memory only */
	struct channel channel;
	struct node_alarms *alarms;               /* owned; NULL: none */
	struct attest_record *attestation;        /* owned; control/attest-record.h; NULL: it showed no TPM yet */
	struct allowed allowed;
	int64_t foreign_told;                     /* when an event last said that it asked for what isn't its own; 0: never; in memory only */
	struct order *orders;                     /* owned; those that aren't answered, numbers ascend */
	struct starts starts;                     /* what it survived */
	struct assignment assignment;             /* assignment.os is "" while nothing is assigned */
	char group[GROUP_NAME_MOST + 1];          /* "" for none */
	bool spare;                               /* kept free for what comes; then without a group */
	char monitor[MONITOR_NAME_MOST + 1];      /* the one that its agent is to go by, and the only one that may speak for it; "": none */
	char service_address[SERVICE_ADDRESS_MOST + 1]; /* where the balancer finds it, with or without a port; "": where it asked to boot from */
	unsigned weight;                          /* its share of new users, 1 to WEIGHT_MOST */
	char site[PLACE_MOST + 1], rack[PLACE_MOST + 1]; /* where it stands; "" for unknown */
	enum balancer_want balancer_want;
	bool waiting;                             /* its last request was answered with "wait"; in memory only */
	char waiting_for[ERROR_TEXT];
	int64_t since;                            /* when its state or stage became what it is; in memory only */
	struct boot_progress progress;            /* of its last boot's stage; phase "" without; in memory only */
	bool booted_once;                         /* `boot` is valid */
	struct boot boot;                         /* its last one */
};

void boot_release(struct boot *boot);
/* NULL when out of memory. */
struct node *node_new(const char *id);
void node_free(struct node *node);
/* Whether its system was started since it last asked what to boot. */
bool node_runs(const struct node *node);

#endif
