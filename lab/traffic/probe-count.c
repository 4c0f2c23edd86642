/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts what the prober recorded, by the definitions of probe.h. */
#include <stdlib.h>
#include <string.h>

#include "lab/traffic/probe-private.h"
#include "util/cleanup.h"

struct interval {
	uint64_t from_usec, until_usec;
};

uint64_t us_lab_probe_reached(const struct us_lab_probe *probe)
{
	return atomic_load(&probe->reached);
}

uint64_t us_lab_probe_heard(const struct us_lab_probe *probe)
{
	return atomic_load(&probe->arrivals_count);
}

static bool contains(const struct interval *interval, uint64_t time_usec)
{
	return time_usec >= interval->from_usec && time_usec < interval->until_usec;
}

static void record_gap(struct us_lab_probe_count *count, const struct interval *interval,
		       uint64_t begin_usec, uint64_t end_usec)
{
	if (begin_usec && contains(interval, begin_usec) && end_usec > begin_usec &&
	    end_usec - begin_usec > count->longest_gap_usec)
		count->longest_gap_usec = end_usec - begin_usec;
}

static void count_boot(const struct us_lab_probe *probe, uint64_t first, uint64_t last,
		       const struct interval *interval, struct us_lab_probe_count *count)
{
	uint64_t arrived_usec = 0;

	for (uint64_t seq = first; seq <= last; seq++) {
		if (contains(interval, probe->sent_usec[seq])) {
			count->sent++;
			count->lost += !probe->arrived[seq];
		}
		if (!probe->arrived[seq] && seq < last)
			continue;
		record_gap(count, interval, arrived_usec, probe->sent_usec[seq]);
		arrived_usec = probe->sent_usec[seq];
	}
}

void us_lab_probe_count_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_count *ret_count)
{
	const struct interval interval = { from_usec, until_usec };

	*ret_count = (struct us_lab_probe_count){};
	for (unsigned i = 0; i < probe->sessions_count; i++) {
		const struct us_lab_probe_session *session = &probe->sessions[i];
		bool is_latest = i + 1 == probe->sessions_count;

		count_boot(probe, session->first, is_latest ? probe->sent : session->last,
			   &interval, ret_count);
	}
	for (unsigned i = 0; i < probe->odd_count; i++)
		if (contains(&interval, probe->sent_usec[probe->odd[i].seq])) {
			ret_count->duplicated += probe->odd[i].duplicated;
			ret_count->reordered += probe->odd[i].reordered;
		}
}

/* Assumes that the missing frames between two arrivals were sent at the regular interval. */
static void count_missing(const struct us_lab_probe *probe,
			  const struct us_lab_probe_arrival *before,
			  const struct us_lab_probe_arrival *now, const uint8_t *seen,
			  const struct interval *interval, struct us_lab_probe_count *count)
{
	uint64_t time_usec = before->time_usec;

	for (uint32_t seq = before->seq + 1; seq < now->seq; seq++) {
		if (time_usec + probe->report_interval_usec < now->time_usec)
			time_usec += probe->report_interval_usec;
		if (!seen[seq] && contains(interval, time_usec)) {
			count->sent++;
			count->lost++;
		}
	}
}

/* @seen: zeroed memory, indexed by seq. */
static void count_session(const struct us_lab_probe *probe, unsigned session, uint8_t *seen,
			  const struct interval *interval, struct us_lab_probe_count *count)
{
	const struct us_lab_probe_arrival *newest = NULL, *before = NULL;
	uint64_t n = us_lab_probe_heard(probe);

	for (uint64_t i = 0; i < n; i++) {
		const struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		if (arrival->session != session || arrival->seq >= US_LAB_PROBE_RECORDS)
			continue;
		if (contains(interval, arrival->time_usec)) {
			count->duplicated += seen[arrival->seq];
			count->reordered +=
				!seen[arrival->seq] && newest && arrival->seq < newest->seq;
			count->sent += !seen[arrival->seq];
		}
		seen[arrival->seq] = 1;
		if (before)
			record_gap(count, interval, before->time_usec, arrival->time_usec);
		before = arrival;
		if (!newest || arrival->seq > newest->seq)
			newest = arrival;
	}

	newest = NULL;
	for (uint64_t i = 0; i < n; i++) {
		const struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		if (arrival->session != session || (newest && arrival->seq <= newest->seq))
			continue;
		if (newest)
			count_missing(probe, newest, arrival, seen, interval, count);
		newest = arrival;
	}
	if (newest && session + 1 == probe->sessions_count)
		record_gap(count, interval, newest->time_usec, probe->sent_usec[probe->sent]);
}

void us_lab_probe_count_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_count *ret_count)
{
	const struct interval interval = { from_usec, until_usec };
	US_CLEANUP(us_freep) uint8_t *seen = malloc(US_LAB_PROBE_RECORDS);

	*ret_count = (struct us_lab_probe_count){};
	for (unsigned i = 0; seen && i < probe->sessions_count; i++) {
		memset(seen, 0, US_LAB_PROBE_RECORDS);
		count_session(probe, i, seen, &interval, ret_count);
	}
}

static bool is_counted(const struct us_lab_probe *probe, uint64_t seq)
{
	for (unsigned i = 0; i < probe->sessions_count; i++)
		if (seq >= probe->sessions[i].first &&
		    (seq <= probe->sessions[i].last || i + 1 == probe->sessions_count))
			return true;
	return false;
}

uint64_t us_lab_probe_sent(const struct us_lab_probe *probe)
{
	return probe->sent;
}

struct us_lab_probe_fate us_lab_probe_fate(const struct us_lab_probe *probe, uint64_t seq)
{
	return (struct us_lab_probe_fate){ .sent_usec = probe->sent_usec[seq],
					   .delay_usec = probe->delay_usec[seq],
					   .has_arrived = probe->arrived[seq],
					   .is_counted = is_counted(probe, seq) };
}

const struct us_lab_probe_arrival *us_lab_probe_arrivals(const struct us_lab_probe *probe)
{
	return probe->arrivals;
}
