/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "api/codec.h"
#include "daemon/doctor/finding.h"
#include "util/cleanup.h"
#include "util/printable.h"

static const char *const level_names[] = {
	[US_FINDING_OK] = "ok",
	[US_FINDING_WARNING] = "warning",
	[US_FINDING_ERROR] = "error",
};
_Static_assert(US_ARRAY_LENGTH(level_names) == US_FINDING_N, "a name for each");

void us_finding_add(struct us_list *findings, enum us_finding_level level, const char *subject,
		    const char *next, const char *format, ...)
{
	struct us_finding *finding = malloc(sizeof(*finding));
	va_list arguments;

	if (!finding)
		return;
	finding->level = level;
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	snprintf(finding->next, sizeof(finding->next), "%s", next);
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	us_make_printable(finding->text);
	us_list_append(findings, &finding->link);
}

void us_finding_add_reason(struct us_list *findings, enum us_finding_level level,
			   const char *subject, int r, const struct us_reason *reason)
{
	if (r < 0)
		us_finding_add(findings, level, subject, "", "%s", us_strerror(r));
	else
		us_finding_add(findings, level, subject, us_reason_next(reason), "%.*s",
			       (int)us_reason_problem_length(reason), reason->text);
}

json_t *us_findings_take_json(struct us_list *findings)
{
	json_t *array = json_array();
	struct us_finding *finding;

	us_list_for_each (finding, findings, link) {
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
