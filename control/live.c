// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/live.h"

#include <stdlib.h>

void live_free(struct live *live)
{
	if (!live)
		return;
	free(live->measures);
	free(live);
}
