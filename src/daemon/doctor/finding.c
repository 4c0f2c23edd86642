/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings of org.understudy.Control: a level, a subject, a problem, and the next step. */
#include <stdio.h>

#include "api/codec.h"
#include "daemon/doctor/doctor-private.h"
#include "util/printable.h"

static const char *const level_names[] = {
	[US_FINDING_OK] = "ok",
	[US_FINDING_WARNING] = "warning",
	[US_FINDING_ERROR] = "error",
};
_Static_assert(US_ARRAY_LENGTH(level_names) == US_FINDING_N, "a name for each");

void us_finding_add(struct us_findings *findings, enum us_finding_level level, const char *next,
		    const char *format, ...)
{
	char text[sizeof(struct us_reason) + 200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	us_make_printable(text);
	json_array_append_new(findings->array,
			      json_pack("{s:s, s:s, s:o, s:o*}", "level", level_names[level],
					"about", findings->subject, "text", us_wire_string(text),
					"next", next[0] ? us_wire_string(next) : NULL));
}

void us_find_reason(struct us_findings *findings, int r, const struct us_reason *reason)
{
	if (r < 0)
		us_find_error(findings, "", "%s", us_strerror(r));
	else
		us_find_error(findings, us_reason_next(reason), "%.*s",
			      (int)us_reason_problem_length(reason), reason->text);
}
