/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/campaign/comparison.h"
#include "lab/report/values.h"
#include "util/cleanup.h"

#define SAMPLES_MAX 4000

/* The worst value is the highest one, except for the throughput. */
static const struct value {
	const char *key, *part, *member; /* @member of the transition's @part, or of the run */
	const char *title;
	bool least_is_worst;
} values[] = {
	{ "lost", "to_guest", "lost", "lost", false },
	{ "duplicated", "to_guest", "duplicated", "dup", false },
	{ "reordered", "to_guest", "reordered", "reord", false },
	{ "gap_ms", "to_guest", "longest_gap_ms", "gap ms", false },
	{ "added_p50_ms", "to_guest", "added_p50_ms", "+p50 ms", false },
	{ "added_p99_ms", "to_guest", "added_p99_ms", "+p99 ms", false },
	{ "from_lost", "from_guest", "lost", "lost from", false },
	{ "from_gap_ms", "from_guest", "longest_gap_ms", "gap from", false },
	{ "downtime_ms", NULL, "downtime_ms", "downtime", false },
	{ "stop_to_resume_ms", NULL, "stop_to_resume_ms", "stop-resume", false },
	{ "tcp_stall_ms", "tcp", "stall_ms", "TCP stall", false },
	{ "tcp_lowest_percent", "tcp", "lowest_percent", "lowest %", true },
	{ "tcp_retransmitted", "tcp", "retransmitted", "retrans", false },
	{ "tcp_response_ms", "tcp", "slowest_response_ms", "response", false },
};

struct samples {
	double values[SAMPLES_MAX];
	size_t count;
};

/* Values of the run, such as the downtime, belong to the transition "migrate". */
static void sample(struct samples *samples, const struct value *value, const json_t *report,
		   const json_t *transition)
{
	bool moves = !strcmp(us_report_text(transition, "transition"), "migrate");
	const json_t *from = value->part ? json_object_get(transition, value->part)
			     : moves	 ? report
					 : NULL,
		     *number = json_object_get(from, value->member);

	if (json_is_number(number) && samples->count < SAMPLES_MAX)
		samples->values[samples->count++] = json_number_value(number);
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

/* The samples are sorted. Of an even number, the mean of the middle two. */
static double median(const struct samples *samples)
{
	return (samples->values[(samples->count - 1) / 2] + samples->values[samples->count / 2]) /
	       2;
}

static bool is_of_row(const json_t *row, const json_t *report, const json_t *transition)
{
	return !strcmp(us_report_text(row, "primary"), us_report_text(report, "primary")) &&
	       !strcmp(us_report_text(row, "manager"), us_report_text(report, "manager")) &&
	       !strcmp(us_report_text(row, "transition"), us_report_text(transition, "transition"));
}

/* Invalid runs are not counted. */
static const json_t *transitions_of(const json_t *report)
{
	return strcmp(us_report_text(report, "verdict"), "invalid")
		       ? json_object_get(report, "transitions")
		       : NULL;
}

static void fill(json_t *row, const json_t *reports, const struct value *value)
{
	US_CLEANUP(us_freep) struct samples *samples = calloc(1, sizeof(*samples));
	json_t *report, *transition;
	size_t i, j;

	json_array_foreach (reports, i, report)
		json_array_foreach (transitions_of(report), j, transition)
			if (samples && is_of_row(row, report, transition))
				sample(samples, value, report, transition);
	if (!samples || !samples->count)
		return;
	qsort(samples->values, samples->count, sizeof(double), compare);
	json_object_set_new(
		json_object_get(row, "values"), value->key,
		json_pack("{s:f,s:f}", "median", median(samples), "worst",
			  samples->values[value->least_is_worst ? 0 : samples->count - 1]));
}

/* Counts the transition in its row, which is added if it is missing. */
static void enter(json_t *rows, const json_t *report, const json_t *transition)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (is_of_row(row, report, transition)) {
			json_int_t n = json_integer_value(json_object_get(row, "transitions"));

			json_object_set_new(row, "transitions", json_integer(n + 1));
			return;
		}
	json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:i,s:{}}", "primary",
					      us_report_text(report, "primary"), "transition",
					      us_report_text(transition, "transition"), "manager",
					      us_report_text(report, "manager"), "transitions", 1,
					      "values"));
}

/* Sorts rows that are compared with each other next to each other. */
static int order(const json_t *a, const json_t *b)
{
	int r = strcmp(us_report_text(b, "primary"), us_report_text(a, "primary"));

	r = r ? r : strcmp(us_report_text(a, "transition"), us_report_text(b, "transition"));
	return r ? r : strcmp(us_report_text(b, "manager"), us_report_text(a, "manager"));
}

static void sort(json_t *rows)
{
	for (size_t i = 1; i < json_array_size(rows); i++)
		for (size_t j = i; j > 0; j--) {
			json_t *one = json_array_get(rows, j - 1), *other = json_array_get(rows, j);

			if (order(one, other) <= 0)
				break;
			json_incref(one);
			json_array_set(rows, j - 1, other);
			json_array_set_new(rows, j, one);
		}
}

static bool is_measured(const json_t *rows, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (json_object_get(json_object_get(row, "values"), key))
			return true;
	return false;
}

static void print_value(const json_t *pair)
{
	double middle = json_number_value(json_object_get(pair, "median")),
	       worst = json_number_value(json_object_get(pair, "worst"));
	char both[40] = "";

	if (pair)
		snprintf(both, sizeof(both), "%.*f/%.*f", fabs(middle) < 10 && middle != 0, middle,
			 fabs(worst) < 10 && worst != 0, worst);
	printf(" %11s", both);
}

static void print(const json_t *rows)
{
	const char *primary = "", *transition = "";
	json_t *row;
	size_t i;

	printf("\nmedian/worst           %-15s %3s", "", "n");
	for (size_t v = 0; v < US_ARRAY_LENGTH(values); v++)
		if (is_measured(rows, values[v].key))
			printf(" %11s", values[v].title);
	json_array_foreach (rows, i, row) {
		if (strcmp(transition, us_report_text(row, "transition")) ||
		    strcmp(primary, us_report_text(row, "primary")))
			printf("\n");
		primary = us_report_text(row, "primary");
		transition = us_report_text(row, "transition");
		printf("%-8s %-13s %-15s %3d", primary, transition, us_report_text(row, "manager"),
		       (int)json_integer_value(json_object_get(row, "transitions")));
		for (size_t v = 0; v < US_ARRAY_LENGTH(values); v++)
			if (is_measured(rows, values[v].key))
				print_value(json_object_get(json_object_get(row, "values"),
							    values[v].key));
		printf("\n");
	}
	printf("\nDelays (+p50, +p99) are what a transition adds to the steady state's one-way "
	       "delay "
	       "to the guest.\n");
}

json_t *us_comparison_new(const json_t *reports)
{
	json_t *rows = json_array(), *report, *transition, *row;
	size_t i, j;

	json_array_foreach (reports, i, report)
		json_array_foreach (transitions_of(report), j, transition)
			enter(rows, report, transition);
	sort(rows);
	json_array_foreach (rows, i, row)
		for (size_t v = 0; v < US_ARRAY_LENGTH(values); v++)
			fill(row, reports, &values[v]);
	print(rows);
	return rows;
}
