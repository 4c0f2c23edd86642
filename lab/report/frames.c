/* SPDX-License-Identifier: BSD-3-Clause */
/* The fate of every frame of a run, for its picture. */
#include "lab/report/report-private.h"
#include "util/clock.h"

/* Of the many frames that arrived in time, only one in so many is drawn. */
#define THINNED 8
#define IN_TIME_USEC (2 * US_USEC_PER_MSEC)

struct series {
	const struct us_run *run;
	json_t *times, *delays, *lost; /* lost: [begin, end, frames] … */
	uint64_t lost_begin_usec, lost_end_usec, lost_count;
	uint64_t in_time;
};

static json_t *tenths(const struct series *series, uint64_t time_usec)
{
	return json_integer(((int64_t)time_usec - (int64_t)series->run->begin_usec) / 100);
}

static void end_loss(struct series *series)
{
	if (series->lost_count)
		json_array_append_new(series->lost,
				      json_pack("[o,o,I]", tenths(series, series->lost_begin_usec),
						tenths(series, series->lost_end_usec),
						(json_int_t)series->lost_count));
	series->lost_count = 0;
}

static void add_loss(struct series *series, uint64_t time_usec)
{
	if (!series->lost_count)
		series->lost_begin_usec = time_usec;
	series->lost_end_usec = time_usec;
	series->lost_count++;
}

static void add_delay(struct series *series, uint64_t time_usec, int32_t delay_usec)
{
	if (delay_usec == US_LAB_PROBE_NO_DELAY)
		return;
	if (delay_usec < (int32_t)IN_TIME_USEC && series->in_time++ % THINNED)
		return;
	json_array_append_new(series->times, tenths(series, time_usec));
	json_array_append_new(series->delays, json_integer(delay_usec / 10));
}

static struct series series_new(const struct us_run *run)
{
	return (struct series){
		.run = run, .times = json_array(), .delays = json_array(), .lost = json_array()
	};
}

static json_t *series_end(struct series *series)
{
	end_loss(series);
	return json_pack("{s:o,s:o,s:o}", "times", series->times, "delays", series->delays, "lost",
			 series->lost);
}

static json_t *to_guest(const struct us_run *run, const struct us_lab_probe *probe)
{
	struct series series = series_new(run);

	for (uint64_t seq = 1; seq <= us_lab_probe_sent(probe); seq++) {
		struct us_lab_probe_fate fate = us_lab_probe_fate(probe, seq);

		if (fate.has_arrived) {
			end_loss(&series);
			add_delay(&series, fate.sent_usec, fate.delay_usec);
		} else if (fate.is_counted) {
			add_loss(&series, fate.sent_usec);
		}
	}
	return series_end(&series);
}

/* The frames missing between arrival @before and arrival @now. Frames that arrive late are not
 * missing; they are rare enough to be searched for. */
static void add_missing(struct series *series, const struct us_lab_probe *probe, uint64_t before,
			uint64_t now)
{
	const struct us_lab_probe_arrival *arrivals = us_lab_probe_arrivals(probe),
					  *a = &arrivals[before], *b = &arrivals[now];
	uint64_t missing = b->seq - a->seq - 1;

	for (uint64_t i = now + 1; i < us_lab_probe_heard(probe) && missing; i++) {
		const struct us_lab_probe_arrival *late = &arrivals[i];

		if (late->time_usec > b->time_usec + US_USEC_PER_SEC)
			break;
		missing -= late->session == a->session && late->seq > a->seq && late->seq < b->seq;
	}
	if (!missing)
		return;
	add_loss(series, a->time_usec);
	series->lost_end_usec = b->time_usec;
	series->lost_count = missing;
	end_loss(series);
}

static json_t *from_guest(const struct us_run *run, const struct us_lab_probe *probe)
{
	const struct us_lab_probe_arrival *arrivals = us_lab_probe_arrivals(probe);
	struct series series = series_new(run);
	uint64_t newest = 0;

	for (uint64_t i = 0; i < us_lab_probe_heard(probe); i++) {
		const struct us_lab_probe_arrival *arrival = &arrivals[i];

		add_delay(&series, arrival->time_usec, arrival->delay_usec);
		if (arrival->session != arrivals[newest].session)
			newest = i;
		if (arrival->seq <= arrivals[newest].seq)
			continue;
		if (arrival->seq > arrivals[newest].seq + 1)
			add_missing(&series, probe, newest, i);
		newest = i;
	}
	return series_end(&series);
}

json_t *us_report_frames(const struct us_run *run)
{
	json_t *list = json_array();

	for (unsigned nic = 0; nic < run->nics; nic++)
		if (run->probes[nic])
			json_array_append_new(
				list, json_pack("{s:s,s:o,s:o}", "pair", us_lab_net_nics[nic].pair,
						"to_guest", to_guest(run, run->probes[nic]),
						"from_guest", from_guest(run, run->probes[nic])));
	return list;
}
