/* SPDX-License-Identifier: BSD-3-Clause */
/* See log.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/log.h"
#include "util/printable.h"

void us_log(int priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	us_make_printable(line);
	/* The journal reads the priority from a prefix: sd-daemon(3). */
	fprintf(stderr, "%s%s\n",
		getenv("JOURNAL_STREAM") ? (char[]){ '<', '0' + priority, '>', 0 } : "", line);
}
