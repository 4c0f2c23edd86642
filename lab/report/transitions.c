/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transitions: adjacent phases of one transition are counted together. Their delays are those added
 * to the steady state's: to the lowest median of the run's steady phases.
 */
#include <stdio.h>

#include "lab/report/report-private.h"
#include "lab/report/values.h"
#include "lab/traffic/tcp.h"

typedef void count_fn(const struct us_lab_probe *probe, uint64_t from_usec, uint64_t until_usec,
		      struct us_lab_probe_count *ret_count);
typedef void delay_fn(const struct us_lab_probe *probe, uint64_t from_usec, uint64_t until_usec,
		      struct us_lab_probe_delay *ret_delay);

struct span {
	const char *name;
	uint64_t begin_usec, end_usec;
};

/* Finds the transition that begins at phase @*index or later; false: there is none. */
static bool next(const struct us_run *run, unsigned *index, struct span *ret_span)
{
	unsigned i = *index;

	while (i < run->phases_count && !run->phases[i].transition)
		i++;
	if (i == run->phases_count)
		return false;
	*ret_span = (struct span){ run->phases[i].transition, run->phases[i].begin_usec, 0 };
	while (i < run->phases_count && run->phases[i].transition == ret_span->name)
		ret_span->end_usec = us_run_phase_end(run, i++);
	*index = i;
	return true;
}

/* The delays of the steady phase with the lowest median. */
static struct us_lab_probe_delay steady_delay(const struct us_run *run,
					      const struct us_lab_probe *probe, delay_fn *delay_of)
{
	struct us_lab_probe_delay least = {}, delay;

	for (unsigned i = 0; i < run->phases_count; i++) {
		if (!run->phases[i].is_steady)
			continue;
		delay_of(probe, run->phases[i].begin_usec, us_run_phase_end(run, i), &delay);
		if (delay.frames && (!least.frames || delay.p50_usec < least.p50_usec))
			least = delay;
	}
	return least;
}

json_t *us_report_count_json(const struct us_lab_probe_count *count)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:f}", "sent", (json_int_t)count->sent, "lost",
			 (json_int_t)count->lost, "duplicated", (json_int_t)count->duplicated,
			 "reordered", (json_int_t)count->reordered, "longest_gap_ms",
			 count->longest_gap_usec / 1e3);
}

static void add_delay(json_t *json, const struct us_lab_probe_delay *delay,
		      const struct us_lab_probe_delay *steady)
{
	json_t *more;

	if (!delay->frames || !steady->frames)
		return;
	more = json_pack("{s:f,s:f,s:f,s:f}", "steady_delay_ms", steady->p50_usec / 1e3,
			 "added_p50_ms", (delay->p50_usec - steady->p50_usec) / 1e3, "added_p99_ms",
			 (delay->p99_usec - steady->p50_usec) / 1e3, "added_worst_ms",
			 (delay->worst_usec - steady->p50_usec) / 1e3);
	json_object_update(json, more);
	json_decref(more);
}

static json_t *direction(const struct us_run *run, const struct us_lab_probe *probe,
			 const struct span *span, count_fn *count_of, delay_fn *delay_of)
{
	struct us_lab_probe_delay delay, steady = steady_delay(run, probe, delay_of);
	struct us_lab_probe_count count;
	json_t *json;

	count_of(probe, span->begin_usec, span->end_usec, &count);
	delay_of(probe, span->begin_usec, span->end_usec, &delay);
	json = us_report_count_json(&count);
	add_delay(json, &delay, &steady);
	return json;
}

/* From the guest, a gap is a pause: the time between two arrivals. */
static void add_pauses(const struct us_lab_probe *probe, const struct span *span,
		       json_t *transition)
{
	json_t *from = json_object_get(transition, "from_guest");
	uint64_t pause_usec;

	json_object_set(from, "longest_pause_ms", json_object_get(from, "longest_gap_ms"));
	if (us_lab_probe_pause_to_guest(probe, span->begin_usec, span->end_usec, &pause_usec))
		json_object_set_new(json_object_get(transition, "to_guest"), "longest_pause_ms",
				    json_real(pause_usec / 1e3));
}

static json_t *tcp(const struct us_run *run, const struct span *span)
{
	struct us_lab_tcp_count count;

	us_lab_tcp_count(run->tcp, span->begin_usec, span->end_usec, &count);
	return json_pack("{s:I,s:i,s:f,s:I,s:I,s:f}", "bytes", (json_int_t)count.bytes,
			 "lowest_percent", (int)count.lowest_percent, "stall_ms",
			 count.stall_usec / 1e3, "retransmitted", (json_int_t)count.retransmitted,
			 "responses", (json_int_t)count.responses, "slowest_response_ms",
			 count.slowest_response_usec / 1e3);
}

static void print_direction(const struct us_run *run, const json_t *json)
{
	fprintf(run->options.out, " | %6.0f %4.0f %5.0f ms", us_report_real(json, "lost"),
		us_report_real(json, "duplicated"), us_report_real(json, "longest_gap_ms"));
	if (json_object_get(json, "added_p50_ms"))
		fprintf(run->options.out, " %6.1f %7.1f %7.1f ms",
			us_report_real(json, "added_p50_ms"), us_report_real(json, "added_p99_ms"),
			us_report_real(json, "added_worst_ms"));
	else
		fprintf(run->options.out, " %26s", "unknown");
}

static void print(const struct us_run *run, const json_t *json, const struct span *span)
{
	const json_t *stream = json_object_get(json, "tcp");

	fprintf(run->options.out, "%-14s %-5s %6.1f s", span->name,
		json_string_value(json_object_get(json, "pair")),
		us_report_real(json, "duration_ms") / 1e3);
	print_direction(run, json_object_get(json, "to_guest"));
	print_direction(run, json_object_get(json, "from_guest"));
	fprintf(run->options.out, "\n");
	if (stream)
		fprintf(run->options.out,
			"  TCP: stalled %.0f ms, worst half second at %.0f%% of the pace, %.0f "
			"segments retransmitted, slowest response %.0f ms\n",
			us_report_real(stream, "stall_ms"),
			us_report_real(stream, "lowest_percent"),
			us_report_real(stream, "retransmitted"),
			us_report_real(stream, "slowest_response_ms"));
}

static json_t *report_transition(struct us_run *run, const struct span *span, unsigned nic)
{
	const struct us_lab_probe *probe = run->probes[nic];
	json_t *json = json_pack("{s:s,s:s,s:f,s:f,s:o,s:o}", "transition", span->name, "pair",
				 us_lab_net_nics[nic].pair, "begin_ms",
				 (span->begin_usec - run->begin_usec) / 1e3, "duration_ms",
				 (span->end_usec - span->begin_usec) / 1e3, "to_guest",
				 direction(run, probe, span, us_lab_probe_count_to_guest,
					   us_lab_probe_delay_to_guest),
				 "from_guest",
				 direction(run, probe, span, us_lab_probe_count_from_guest,
					   us_lab_probe_delay_from_guest));

	add_pauses(probe, span, json);
	if (run->tcp && nic == 0)
		json_object_set_new(json, "tcp", tcp(run, span));
	print(run, json, span);
	return json;
}

json_t *us_report_transitions(struct us_run *run)
{
	static const char columns[] = "   lost  dup      gap   added: p50     p99    worst";
	json_t *list = json_array();
	unsigned index = 0;
	struct span span;

	while (next(run, &index, &span)) {
		if (!json_array_size(list))
			fprintf(run->options.out,
				"\nTransitions, with the delay added to the steady state's:\n"
				"%-29s |%-50s |%s\n%-29s |%s |%s\n",
				"", " to the guest", " from the guest", "", columns, columns);
		for (unsigned nic = 0; nic < run->nics; nic++)
			if (run->probes[nic])
				json_array_append_new(list, report_transition(run, &span, nic));
	}
	return list;
}
