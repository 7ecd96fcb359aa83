// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/life.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char *const names[LIFE_STATES] = {
	[LIFE_ENROLLED] = "enrolled", [LIFE_BOOTING] = "booting", [LIFE_SERVING] = "serving",         [LIFE_DRAINING] = "draining",
	[LIFE_REBOOTING] = "rebooting", [LIFE_SPARE] = "spare",   [LIFE_SUSPECT] = "suspect",         [LIFE_FAILED] = "failed",
	[LIFE_QUARANTINED] = "quarantined", [LIFE_MAINTENANCE] = "maintenance",
};

/* What isn't a state: as it is, not allowed, back to what it was. */
enum { SAME = 64, NO, BACK };

#define ENR LIFE_ENROLLED
#define BOO LIFE_BOOTING
#define SER LIFE_SERVING
#define DRA LIFE_DRAINING
#define REB LIFE_REBOOTING
#define SPA LIFE_SPARE
#define SUS LIFE_SUSPECT
#define FAI LIFE_FAILED
#define QUA LIFE_QUARANTINED
#define MAI LIFE_MAINTENANCE

static const uint8_t moves[LIFE_CAUSES][LIFE_STATES] = {
	/*                    enrolled booting serving draining rebooting spare suspect failed quarantined maintenance */
	[LIFE_ASKED]       = { BOO,    SAME,   BOO,    BOO,     BOO,      SAME, BOO,    BOO,   SAME,       SAME },
	[LIFE_HEALTHY]     = { SER,    SER,    SAME,   SAME,    SAME,     SAME, BACK,   BACK,  SAME,       SAME },
	[LIFE_UNHEALTHY]   = { BOO,    SAME,   SUS,    SAME,    SAME,     SAME, SAME,   SUS,   SAME,       SAME },
	[LIFE_HEARD]       = { BOO,    SAME,   SAME,   SAME,    SAME,     SAME, BACK,   BACK,  SAME,       SAME },
	[LIFE_SILENT]      = { SAME,   SUS,    SUS,    SUS,     SAME,     SAME, SAME,   SAME,  SAME,       SAME },
	[LIFE_LOST]        = { SAME,   FAI,    FAI,    FAI,     SAME,     SAME, FAI,    SAME,  SAME,       SAME },
	[LIFE_BOOT_FAILED] = { FAI,    FAI,    FAI,    FAI,     FAI,      SAME, FAI,    SAME,  SAME,       SAME },
	[LIFE_DRAIN]       = { NO,     NO,     DRA,    SAME,    NO,       NO,   DRA,    NO,    NO,         NO },
	[LIFE_UNDRAIN]     = { NO,     SAME,   SAME,   SER,     NO,       NO,   SAME,   SAME,  NO,         NO },
	[LIFE_REBOOT]      = { REB,    REB,    REB,    REB,     SAME,     SAME, REB,    REB,   SAME,       SAME },
	[LIFE_OFF]         = { SAME,   REB,    REB,    REB,     SAME,     SAME, REB,    REB,   SAME,       SAME },
	[LIFE_RELEASE]     = { SPA,    SPA,    SPA,    SPA,     SPA,      SAME, SPA,    NO,    NO,         NO },
	[LIFE_TAKE]        = { NO,     NO,     NO,     NO,      NO,       BOO,  NO,     NO,    NO,         NO },
	[LIFE_QUARANTINE]  = { QUA,    QUA,    QUA,    QUA,     QUA,      QUA,  QUA,    QUA,   SAME,       QUA },
	[LIFE_MAINTAIN]    = { MAI,    MAI,    MAI,    MAI,     MAI,      MAI,  MAI,    MAI,   NO,         SAME },
	[LIFE_CLEAR]       = { NO,     NO,     NO,     NO,      NO,       NO,   NO,     BOO,   BOO,        BOO },
};

/* A node that drained still does; one that was on its way is where its agent says. */
static enum life_state back(const struct life *life, enum life_cause cause)
{
	if (life->before == LIFE_SERVING || life->before == LIFE_DRAINING)
		return life->before;
	return cause == LIFE_HEALTHY ? LIFE_SERVING : LIFE_BOOTING;
}

static int is_doubted(enum life_state state)
{
	return state == LIFE_SUSPECT || state == LIFE_FAILED;
}

int life_move(struct life *life, enum life_cause cause)
{
	unsigned to = moves[cause][life->state];
	enum life_state next;

	if (to == NO)
		return -EINVAL;
	next = to == SAME ? life->state : to == BACK ? back(life, cause) : (enum life_state)to;
	if (is_doubted(next) && !is_doubted(life->state))
		life->before = life->state;
	/* Heard again it is to serve. */
	if (cause == LIFE_UNDRAIN && is_doubted(next) && life->before == LIFE_DRAINING)
		life->before = LIFE_SERVING;
	life->state = next;
	return 0;
}

const char *life_name(enum life_state state)
{
	return names[state];
}

int life_parse(const char *text, enum life_state *ret_state)
{
	for (unsigned i = 0; i < LIFE_STATES; i++) {
		if (!strcmp(text, names[i])) {
			*ret_state = (enum life_state)i;
			return 0;
		}
	}
	return -EINVAL;
}
