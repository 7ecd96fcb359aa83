/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit counts while it runs, for control/metrics.h. From any thread, without a lock. */
#ifndef CONTROL_METERS_H
#define CONTROL_METERS_H

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

#define METER_BUCKETS 10u
/* Upper bounds in seconds; the last bucket, without bound, is for the rest. */
extern const double meter_short[METER_BUCKETS]; /* answers */
extern const double meter_long[METER_BUCKETS];  /* boots */

struct meter_histogram {
	atomic_ullong counts[METER_BUCKETS + 1]; /* each of its bucket alone */
	atomic_ullong microseconds;              /* sum */
};

/* Of one of the interfaces. */
struct meter_requests {
	atomic_ullong answered[6];  /* by the status's first digit */
	struct meter_histogram seconds; /* from the headers until the answer was ready, or the request was held */
};

enum meter_interface { METER_NODES, METER_REPOSITORY, METER_OPERATORS, METER_SOCKET, METER_INTERFACES };
extern const char *const meter_interface_names[METER_INTERFACES];

/* Stage 1's, and "other" for what a node calls otherwise: each one is a time series. */
#define METER_STAGES 15u
extern const char *const meter_stage_names[METER_STAGES];

enum meter_boot { METER_KEXEC, METER_RESET, METER_FAILED, METER_BOOTS };
extern const char *const meter_boot_names[METER_BOOTS];

struct meters {
	struct meter_requests requests[METER_INTERFACES];
	atomic_ullong boots[METER_BOOTS];
	struct meter_histogram boot, stages[METER_STAGES];
	atomic_ullong events[4];    /* by enum severity */
	struct meter_histogram late; /* of statuses that were held: how long after its time the answer was ready */
	atomic_ullong probes[2];    /* of control/prober.h: answered well; not */
	struct meter_histogram probe; /* those that were */
};

void meter_observe(struct meter_histogram *histogram, const double bounds[METER_BUCKETS], double seconds);
void meter_answer(struct meter_requests *requests, unsigned status);
/* A boot ended so; `stages` as in docs/protocol.md. */
void meter_boot(struct meters *meters, enum meter_boot how, const json_t *stages);

#endif
