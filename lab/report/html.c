/* SPDX-License-Identifier: BSD-3-Clause */
/* See html.h. The page gets its data where it says DATA; what is drawn, it decides. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/report/html.h"
#include "lab/traffic/probe-record.h"
#include "lab/report/svg.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define PLACE "null /* DATA */"
#define OVERVIEW "<!-- OVERVIEW -->"
/* A frame that came in time is one of many; of these only every so many is drawn. */
#define THINNED 8
#define IN_TIME_USEC (2 * US_USEC_PER_MSEC)

struct drawing {
	const struct us_run *run;
	json_t *times, *delays, *lost; /* lost: [begin, end, frames] … */
	uint64_t lost_begin_usec, lost_end_usec, lost_count;
	uint64_t in_time;
};

static json_t *tenths(const struct drawing *drawing, uint64_t time_usec)
{
	return json_integer(((int64_t)time_usec - (int64_t)drawing->run->begin_usec) / 100);
}

static void draw_losses(struct drawing *drawing)
{
	if (drawing->lost_count)
		json_array_append_new(drawing->lost,
				      json_pack("[o,o,I]",
						tenths(drawing, drawing->lost_begin_usec),
						tenths(drawing, drawing->lost_end_usec),
						(json_int_t)drawing->lost_count));
	drawing->lost_count = 0;
}

static void draw_loss(struct drawing *drawing, uint64_t time_usec)
{
	if (!drawing->lost_count)
		drawing->lost_begin_usec = time_usec;
	drawing->lost_end_usec = time_usec;
	drawing->lost_count++;
}

static void draw_delay(struct drawing *drawing, uint64_t time_usec, int32_t delay_usec)
{
	if (delay_usec == US_LAB_PROBE_NO_DELAY)
		return;
	if (delay_usec < (int32_t)IN_TIME_USEC && drawing->in_time++ % THINNED)
		return;
	json_array_append_new(drawing->times, tenths(drawing, time_usec));
	json_array_append_new(drawing->delays, json_integer(delay_usec / 10));
}

static struct drawing drawing_new(const struct us_run *run)
{
	return (struct drawing){
		.run = run, .times = json_array(), .delays = json_array(), .lost = json_array()
	};
}

static json_t *drawing_end(struct drawing *drawing)
{
	draw_losses(drawing);
	return json_pack("{s:o,s:o,s:o}", "times", drawing->times, "delays", drawing->delays,
			 "lost", drawing->lost);
}

static bool is_in_a_boot(const struct us_lab_probe *probe, uint64_t seq)
{
	for (unsigned i = 0; i < probe->sessions_count; i++)
		if (seq >= probe->sessions[i].first &&
		    (seq <= probe->sessions[i].last || i + 1 == probe->sessions_count))
			return true;
	return false;
}

static json_t *draw_to_guest(const struct us_run *run, const struct us_lab_probe *probe)
{
	struct drawing drawing = drawing_new(run);

	for (uint64_t seq = 1; seq <= probe->sent; seq++)
		if (probe->arrived[seq]) {
			draw_losses(&drawing);
			draw_delay(&drawing, probe->sent_usec[seq], probe->delay_usec[seq]);
		} else if (is_in_a_boot(probe, seq)) {
			draw_loss(&drawing, probe->sent_usec[seq]);
		}
	return drawing_end(&drawing);
}

/* The missing between two arrivals; a late one is not missing, and is rare enough to look for. */
static void draw_missing(struct drawing *drawing, const struct us_lab_probe *probe, uint64_t before,
			 uint64_t now)
{
	const struct us_lab_probe_arrival *a = &probe->arrivals[before], *b = &probe->arrivals[now];
	uint64_t missing = b->seq - a->seq - 1;

	for (uint64_t i = now + 1; i < us_lab_probe_heard(probe) && missing; i++) {
		const struct us_lab_probe_arrival *late = &probe->arrivals[i];

		if (late->time_usec > b->time_usec + US_USEC_PER_SEC)
			break;
		missing -= late->session == a->session && late->seq > a->seq && late->seq < b->seq;
	}
	if (!missing)
		return;
	draw_loss(drawing, a->time_usec);
	drawing->lost_end_usec = b->time_usec;
	drawing->lost_count = missing;
	draw_losses(drawing);
}

static json_t *draw_from_guest(const struct us_run *run, const struct us_lab_probe *probe)
{
	struct drawing drawing = drawing_new(run);
	uint64_t newest = 0;

	for (uint64_t i = 0; i < us_lab_probe_heard(probe); i++) {
		const struct us_lab_probe_arrival *arrival = &probe->arrivals[i];

		draw_delay(&drawing, arrival->time_usec, arrival->delay_usec);
		if (arrival->session != probe->arrivals[newest].session)
			newest = i;
		if (arrival->seq <= probe->arrivals[newest].seq)
			continue;
		if (arrival->seq > probe->arrivals[newest].seq + 1)
			draw_missing(&drawing, probe, newest, i);
		newest = i;
	}
	return drawing_end(&drawing);
}

json_t *us_html_frames(const struct us_run *run)
{
	json_t *list = json_array();

	for (unsigned nic = 0; nic < run->nics; nic++)
		if (run->probes[nic])
			json_array_append_new(
				list,
				json_pack("{s:s,s:o,s:o}", "pair", us_lab_net_nics[nic].pair,
					  "to_guest", draw_to_guest(run, run->probes[nic]),
					  "from_guest", draw_from_guest(run, run->probes[nic])));
	return list;
}

static bool is_drawn(const json_t *report)
{
	return json_object_get(report, "frames");
}

int us_html_write(const char *path, const json_t *reports, const json_t *comparison)
{
	const char *place = strstr(us_html_page, PLACE), *overview = strstr(us_html_page, OVERVIEW);
	json_t *runs = json_array(), *data, *report;
	FILE *file = fopen(path, "we");
	size_t i;
	int r;

	if (!file) {
		json_decref(runs);
		return -errno;
	}
	json_array_foreach (reports, i, report)
		if (is_drawn(report))
			json_array_append(runs, report);
	data = json_pack("{s:o,s:O?}", "runs", runs, "comparison", comparison);
	fwrite(us_html_page, 1, overview - us_html_page, file);
	us_svg_draw(file, runs);
	overview += strlen(OVERVIEW);
	fwrite(overview, 1, place - overview, file);
	/* A string may hold "</script>". */
	r = json_dumpf(data, file, JSON_COMPACT | JSON_ESCAPE_SLASH | JSON_REAL_PRECISION(9));
	fputs(place + strlen(PLACE), file);
	json_decref(data);
	return fclose(file) || r ? -EIO : 0;
}
