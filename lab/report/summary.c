/* SPDX-License-Identifier: BSD-3-Clause */
/* The counts are those of the transition "migrate". */
#include <stdbool.h>
#include <string.h>

#include "lab/report/summary.h"
#include "lab/report/values.h"
#include "util/cleanup.h"

#define TRANSITION "migrate"

static const struct {
	const char *manager, *title;
} columns[] = { { "understudy", "Understudy" }, { "qemu", "QEMU's own failover" } };

static const struct {
	const char *title, *direction, *key;
	bool is_duration;
} rows[] = {
	{ "Frames to the guest", "to_guest", "sent", false },
	{ "  lost", "to_guest", "lost", false },
	{ "  duplicated", "to_guest", "duplicated", false },
	{ "  longest pause", "to_guest", "longest_pause_ms", true },
	{ "Frames from the guest", "from_guest", "sent", false },
	{ "  lost", "from_guest", "lost", false },
	{ "  duplicated", "from_guest", "duplicated", false },
	{ "  longest pause", "from_guest", "longest_pause_ms", true },
	{ "Guest stopped for", NULL, "stop_to_resume_ms", true },
};

const char *us_summary_count(json_int_t count, char text[32])
{
	char digits[32];
	size_t length, n = 0;

	length = snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, count);
	for (size_t i = 0; i < length && n < 30; i++) {
		text[n++] = digits[i];
		if (length - i > 1 && (length - i) % 3 == 1 && digits[i] != '-')
			text[n++] = ',';
	}
	text[n] = 0;
	return text;
}

const char *us_summary_duration(const json_t *ms, char text[32])
{
	double value = json_number_value(ms);

	if (!json_is_number(ms))
		return "unknown";
	if (value < 999.5)
		snprintf(text, 32, "%.0f ms", value);
	else
		snprintf(text, 32, "%.1f s", value / 1e3);
	return text;
}

const char *us_summary_qemu(const json_t *report, char text[32])
{
	const char *version = us_report_text(json_object_get(report, "versions"), "qemu");

	if (sscanf(version, "QEMU emulator version %31s", text) != 1)
		strcpy(text, "?");
	return text;
}

const char *us_summary_card(const json_t *report, char text[64])
{
	const char *primary = us_report_text(report, "primary");

	if (!strcmp(primary, "vfio"))
		return "a VF";
	snprintf(text, 64, "an emulated %.40s", primary);
	return text;
}

const json_t *us_summary_transition(const json_t *report, const char *name)
{
	json_t *transition;
	size_t i;

	json_array_foreach (json_object_get(report, "transitions"), i, transition)
		if (!strcmp(us_report_text(transition, "transition"), name))
			return transition;
	return NULL;
}

json_int_t us_summary_number(const json_t *transition, const char *direction, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(transition, direction), key));
}

static const json_t *report_of(const json_t *reports, const char *manager)
{
	json_t *report;
	size_t i;

	json_array_foreach (reports, i, report)
		if (!strcmp(us_report_text(report, "manager"), manager))
			return report;
	return NULL;
}

static const char *cell(const json_t *report, size_t row, char text[32])
{
	const json_t *transition = us_summary_transition(report, TRANSITION), *from = report;

	if (!report)
		return "not run";
	if (!strcmp(us_report_text(report, "verdict"), "invalid"))
		return "invalid";
	if (!transition)
		return "unknown";
	if (!rows[row].is_duration)
		return us_summary_count(
			us_summary_number(transition, rows[row].direction, rows[row].key), text);
	if (rows[row].direction)
		from = json_object_get(transition, rows[row].direction);
	return us_summary_duration(json_object_get(from, rows[row].key), text);
}

static void print_table(FILE *out, const json_t *reports)
{
	char text[32];

	fprintf(out, "%-24s", "");
	for (size_t c = 0; c < US_ARRAY_LENGTH(columns); c++)
		fprintf(out, "%22s", columns[c].title);
	fprintf(out, "\n");
	for (size_t row = 0; row < US_ARRAY_LENGTH(rows); row++) {
		fprintf(out, "%-24s", rows[row].title);
		for (size_t c = 0; c < US_ARRAY_LENGTH(columns); c++)
			fprintf(out, "%22s",
				cell(report_of(reports, columns[c].manager), row, text));
		fprintf(out, "\n");
	}
}

static void print_verdict(FILE *out, const json_t *report, const char *title)
{
	const char *verdict = us_report_text(report, "verdict");
	json_t *failure;
	size_t i;

	if (!strcmp(verdict, "invalid"))
		fprintf(out, "The run with %s is INVALID and proves nothing: %s\n", title,
			us_report_text(report, "invalid"));
	if (strcmp(verdict, "fail"))
		return;
	fprintf(out, "The run with %s FAILED:\n", title);
	json_array_foreach (json_object_get(report, "failures"), i, failure)
		fprintf(out, "  %s\n", json_string_value(failure));
}

void us_summary_print(FILE *out, const json_t *reports)
{
	const json_t *any = json_array_get(reports, 0);
	char qemu[32], rate[32], card[64];

	fprintf(out,
		"A VM with a passed-through network card (here %s) %s migrated from\n"
		"host-a to host-b, once with Understudy and once with QEMU's own failover. "
		"Meanwhile\n"
		"%s frames per second were sent to it, and up to 1,000 by it. QEMU is %s.\n\n",
		us_summary_card(any, card),
		json_array_size(reports) < US_ARRAY_LENGTH(columns) ? "was to be" : "was",
		us_summary_count(json_integer_value(json_object_get(any, "rate")), rate),
		us_summary_qemu(any, qemu));
	print_table(out, reports);
	fprintf(out,
		"\nCounted from the command to migrate until the guest used the card on host-b.\n"
		"A pause is a time in which no frame arrived. Understudy buffers the frames to "
		"the\n"
		"guest during a pause and delivers them after it.\n");
	for (size_t c = 0; c < US_ARRAY_LENGTH(columns); c++)
		print_verdict(out, report_of(reports, columns[c].manager), columns[c].title);
}
