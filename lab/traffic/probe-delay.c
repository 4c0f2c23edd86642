/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One-way delays, measured with two clocks: the client's and the guest's.
 *
 * A report contains the guest's time of its sending, and the client records the time of its
 * arrival. The smallest difference of the two, among the reports of about a second before and
 * after, converts the guest's time to the client's. It is the offset of the clocks plus the
 * smallest delay of a frame from the guest. The guest's log contains the time of arrival of each
 * frame there. So the computed delay to the guest is too long by that smallest delay, and the delay
 * from the guest too short. It is a fraction of a millisecond, and cancels in the comparison with
 * the steady state. Clocks may drift.
 *
 * The guest's clock stands still while its VM is stopped, so the conversion has a step at the
 * guest's time of the stop, and no minimum is taken across a step. A frame that waited in the rings
 * of the stopped VM is late by the whole stop, which is correct.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/traffic/probe-private.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BUCKET_USEC (250 * US_USEC_PER_MSEC)
#define BUCKETS_NEAR 4
/* The time of a step is not exact: a report sent so soon after it may have been sent before. */
#define STEP_BLUR_USEC (5 * US_USEC_PER_MSEC)
/* The guest's time of a stop comes from the smallest offset of so many reports before it. */
#define STEP_REPORTS 500

struct guest_clock {
	uint64_t steps_usec[US_LAB_PROBE_PAUSES_MAX]; /* by the guest's clock, ascending */
	unsigned steps_count;
	size_t buckets;
	int64_t *offset_usec; /* [step][bucket]: least so far, INT64_MAX: none */
};

static unsigned steps_before(const struct guest_clock *clock, uint64_t guest_usec)
{
	unsigned n = 0;

	while (n < clock->steps_count && guest_usec >= clock->steps_usec[n])
		n++;
	return n;
}

static int64_t offset_of(const struct us_lab_probe_arrival *arrival)
{
	return (int64_t)(arrival->time_usec - arrival->guest_usec);
}

static void find_step(struct guest_clock *clock, const struct us_lab_probe *probe, unsigned session,
		      uint64_t pause_usec)
{
	int64_t offset = INT64_MAX;
	unsigned reports = 0;

	for (uint64_t i = us_lab_probe_heard(probe); i-- > 0 && reports < STEP_REPORTS;) {
		const struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		if (arrival->session != session || arrival->time_usec > pause_usec ||
		    steps_before(clock, arrival->guest_usec) != clock->steps_count)
			continue;
		if (offset_of(arrival) < offset)
			offset = offset_of(arrival);
		reports++;
	}
	if (offset != INT64_MAX && clock->steps_count < US_LAB_PROBE_PAUSES_MAX)
		clock->steps_usec[clock->steps_count++] = pause_usec - offset;
}

static bool guest_clock_init(struct guest_clock *clock, const struct us_lab_probe *probe,
			     unsigned session, const uint64_t *pauses_usec, unsigned pauses_count)
{
	uint64_t n = us_lab_probe_heard(probe), newest_usec = 0;
	size_t cells;

	*clock = (struct guest_clock){};
	for (unsigned i = 0; i < pauses_count; i++)
		find_step(clock, probe, session, pauses_usec[i]);
	for (uint64_t i = 0; i < n; i++)
		if (probe->arrivals[i].session == session &&
		    probe->arrivals[i].guest_usec > newest_usec)
			newest_usec = probe->arrivals[i].guest_usec;
	clock->buckets = newest_usec / BUCKET_USEC + 1;
	cells = (clock->steps_count + 1) * clock->buckets;
	clock->offset_usec = malloc(cells * sizeof(*clock->offset_usec));
	for (size_t i = 0; clock->offset_usec && i < cells; i++)
		clock->offset_usec[i] = INT64_MAX;
	return clock->offset_usec;
}

static void learn(struct guest_clock *clock, const struct us_lab_probe_arrival *arrival)
{
	unsigned step = steps_before(clock, arrival->guest_usec);
	int64_t *cell =
		&clock->offset_usec[step * clock->buckets + arrival->guest_usec / BUCKET_USEC];

	if (step && arrival->guest_usec < clock->steps_usec[step - 1] + STEP_BLUR_USEC)
		return;
	if (offset_of(arrival) < *cell)
		*cell = offset_of(arrival);
}

/* The smallest of the nearby buckets, or of the nearest one that has a report. */
static int64_t offset_at(const struct guest_clock *clock, uint64_t guest_usec)
{
	const int64_t *cells =
		&clock->offset_usec[steps_before(clock, guest_usec) * clock->buckets];
	size_t at = guest_usec / BUCKET_USEC;
	int64_t least = INT64_MAX;

	for (size_t far = 0; far <= at || at + far < clock->buckets; far++) {
		if (far > BUCKETS_NEAR && least != INT64_MAX)
			break;
		if (far <= at && at - far < clock->buckets && cells[at - far] < least)
			least = cells[at - far];
		if (at + far < clock->buckets && cells[at + far] < least)
			least = cells[at + far];
	}
	return least;
}

static void settle_session(struct us_lab_probe *probe, const struct guest_clock *clock,
			   unsigned session)
{
	for (uint64_t i = 0; i < us_lab_probe_heard(probe); i++) {
		struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		if (arrival->session == session)
			arrival->delay_usec =
				offset_of(arrival) - offset_at(clock, arrival->guest_usec);
	}
}

/* Of a duplicated frame, the first arrival counts. */
static void settle_log(struct us_lab_probe *probe, const struct guest_clock *clock)
{
	for (size_t i = 0; i < probe->log_count; i++) {
		const struct us_lab_probe_entry *entry = &probe->log[i];
		int64_t offset = offset_at(clock, entry->time_usec);

		if (entry->seq > probe->sent || offset == INT64_MAX ||
		    probe->delay_usec[entry->seq] != US_LAB_PROBE_NO_DELAY)
			continue;
		probe->delay_usec[entry->seq] =
			entry->time_usec + offset - (int64_t)probe->sent_usec[entry->seq];
	}
}

void us_lab_probe_settle(struct us_lab_probe *probe, const uint64_t *pauses_usec,
			 unsigned pauses_count)
{
	for (uint64_t seq = 0; seq <= probe->sent; seq++)
		probe->delay_usec[seq] = US_LAB_PROBE_NO_DELAY;
	for (unsigned i = 0; i < probe->sessions_count; i++) {
		struct guest_clock clock;

		if (!guest_clock_init(&clock, probe, i, pauses_usec, pauses_count))
			return;
		for (uint64_t n = 0; n < us_lab_probe_heard(probe); n++)
			if (probe->arrivals[n].session == i)
				learn(&clock, &probe->arrivals[n]);
		settle_session(probe, &clock, i);
		/* The log belongs to the newest boot, of which no report may have arrived. */
		if (i + 1 == probe->sessions_count && probe->log_count &&
		    probe->log[0].seq == probe->sessions[i].first)
			settle_log(probe, &clock);
		free(clock.offset_usec);
	}
}

static int compare(const void *a, const void *b)
{
	return (*(const int32_t *)a > *(const int32_t *)b) -
	       (*(const int32_t *)a < *(const int32_t *)b);
}

static void summarize(int32_t *delays_usec, size_t count, struct us_lab_probe_delay *ret_delay)
{
	*ret_delay = (struct us_lab_probe_delay){ .frames = count };
	if (!count)
		return;
	qsort(delays_usec, count, sizeof(*delays_usec), compare);
	ret_delay->p50_usec = delays_usec[count / 2];
	ret_delay->p99_usec = delays_usec[count * 99 / 100];
	ret_delay->worst_usec = delays_usec[count - 1];
}

void us_lab_probe_delay_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_delay *ret_delay)
{
	US_CLEANUP(us_freep) int32_t *delays = malloc((probe->sent + 1) * sizeof(*delays));
	size_t count = 0;

	for (uint64_t seq = 1; delays && seq <= probe->sent; seq++)
		if (probe->delay_usec[seq] != US_LAB_PROBE_NO_DELAY &&
		    probe->sent_usec[seq] >= from_usec && probe->sent_usec[seq] < until_usec)
			delays[count++] = probe->delay_usec[seq];
	summarize(delays, count, ret_delay);
}

void us_lab_probe_delay_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_delay *ret_delay)
{
	uint64_t n = us_lab_probe_heard(probe);
	US_CLEANUP(us_freep) int32_t *delays = malloc((n + 1) * sizeof(*delays));
	size_t count = 0;

	for (uint64_t i = 0; delays && i < n; i++) {
		const struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		if (arrival->delay_usec != US_LAB_PROBE_NO_DELAY &&
		    arrival->time_usec >= from_usec && arrival->time_usec < until_usec)
			delays[count++] = arrival->delay_usec;
	}
	summarize(delays, count, ret_delay);
}

static int compare_times(const void *a, const void *b)
{
	return (*(const uint64_t *)a > *(const uint64_t *)b) -
	       (*(const uint64_t *)a < *(const uint64_t *)b);
}

/* The times of arrival at the guest, by the client's clock, ascending; the caller's to free. */
static uint64_t *arrivals_at_guest(const struct us_lab_probe *probe, size_t *ret_count)
{
	uint64_t *times = malloc((probe->sent + 1) * sizeof(*times));

	*ret_count = 0;
	for (uint64_t seq = 1; times && seq <= probe->sent; seq++)
		if (probe->delay_usec[seq] != US_LAB_PROBE_NO_DELAY)
			times[(*ret_count)++] = probe->sent_usec[seq] + probe->delay_usec[seq];
	if (times)
		qsort(times, *ret_count, sizeof(*times), compare_times);
	return times;
}

bool us_lab_probe_pause_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, uint64_t *ret_pause_usec)
{
	size_t count;
	US_CLEANUP(us_freep) uint64_t *times = arrivals_at_guest(probe, &count);
	uint64_t end_usec = probe->sent_usec[probe->sent];

	*ret_pause_usec = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t next_usec = i + 1 < count ? times[i + 1] : end_usec;

		if (times[i] >= from_usec && times[i] < until_usec && next_usec > times[i] &&
		    next_usec - times[i] > *ret_pause_usec)
			*ret_pause_usec = next_usec - times[i];
	}
	return count;
}
