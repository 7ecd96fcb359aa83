/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/sentence.h"

#include <stdarg.h>
#include <stdio.h>

int sentence(char ret_text[SENTENCE], int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_text, SENTENCE, format, arguments);
	va_end(arguments);
	return error;
}
