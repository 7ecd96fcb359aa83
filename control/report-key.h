/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key that the control unit signs reports with: made when it is needed first, sealed in the store (control/sealed.h), used for nothing else. */
#ifndef CONTROL_REPORT_KEY_H
#define CONTROL_REPORT_KEY_H

#include "control/control.h"
#include "control/report-signature.h"

/* Within control_lock. 0; -ENOKEY or -EBADMSG (sealed with another key, or damaged) with a sentence; -ENOMEM, -EIO. */
int report_key_sign(struct control *control, const void *data, size_t size, uint8_t ret_signature[REPORT_SIGNATURE_SIZE],
		    char ret_error[ERROR_TEXT]);
/* Adds the public one in PEM. The same errors. */
int report_key_show(struct control *control, struct buffer *ret_text, char ret_error[ERROR_TEXT]);

#endif
