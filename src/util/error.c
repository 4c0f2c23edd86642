/* SPDX-License-Identifier: BSD-3-Clause */
/* Reasons are built from peers' words: cut to fit one line, and made harmless there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/printable.h"

int us_refuse(struct us_reason *reason, const char *format, ...)
{
	va_list arguments;

	if (!reason)
		return US_REFUSED;

	va_start(arguments, format);
	vsnprintf(reason->text, sizeof(reason->text), format, arguments);
	va_end(arguments);

	us_make_printable(reason->text);
	return US_REFUSED;
}

const char *us_strerror(int error)
{
	return strerror(abs(error));
}
