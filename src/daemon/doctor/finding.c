/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings: each has a level, a subject, a problem, and the next step. */
#include <stdio.h>

#include "api/codec.h"
#include "daemon/doctor/doctor-private.h"
#include "util/printable.h"

struct finding {
	struct us_list link;
	enum us_finding_level level;
	char subject[US_NAME_MAX];
	char text[sizeof(struct us_reason) + 200];
	char next[300]; /* the next step; "": none */
};

static const char *const level_names[] = {
	[US_FINDING_OK] = "ok",
	[US_FINDING_WARNING] = "warning",
	[US_FINDING_ERROR] = "error",
};
_Static_assert(US_ARRAY_LENGTH(level_names) == US_FINDING_N, "a name for each");

void us_finding_add(struct us_findings *findings, enum us_finding_level level, const char *next,
		    const char *format, ...)
{
	struct finding *finding = malloc(sizeof(*finding));
	va_list arguments;

	if (!finding)
		return;
	finding->level = level;
	snprintf(finding->subject, sizeof(finding->subject), "%s", findings->subject);
	snprintf(finding->next, sizeof(finding->next), "%s", next);
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	us_make_printable(finding->text);
	us_list_append(&findings->list, &finding->link);
}

void us_find_reason(struct us_findings *findings, int r, const struct us_reason *reason)
{
	if (r < 0)
		us_find_error(findings, "", "%s", us_strerror(r));
	else
		us_find_error(findings, us_reason_next(reason), "%.*s",
			      (int)us_reason_problem_length(reason), reason->text);
}

json_t *us_findings_take_json(struct us_findings *findings)
{
	json_t *array = json_array();
	struct finding *finding;

	us_list_for_each (finding, &findings->list, link) {
		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:o, s:o*}", "level", level_names[finding->level],
				  "about", finding->subject, "text", us_wire_string(finding->text),
				  "next", finding->next[0] ? us_wire_string(finding->next) : NULL));
		us_list_remove(&finding->link);
		free(finding);
	}
	return array;
}
