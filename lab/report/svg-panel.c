/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "lab/report/summary.h"
#include "lab/report/svg-panel.h"
#include "lab/report/values.h"
#include "util/cleanup.h"

#define LANES 28 /* from the panel's top to its first lane */
#define LANE 18	 /* from lane to lane */
#define PLOT 96	 /* from the panel's top to its plot */
#define PLOT_HEIGHT 84
#define LATE_MS 10
#define PAUSE_MS 20 /* at 1,000 frames/s, arrivals so close to each other are drawn together */

/* The time of the first event since @since_ms, in the panel's time; -1: none. */
static double time_of(const struct us_svg_panel *panel, double since_ms, const char *host,
		      const char *name, const char *detail)
{
	json_t *event;
	size_t i;

	json_array_foreach (json_object_get(panel->report, "events"), i, event) {
		double time_ms = us_report_real(event, "time_ms") - panel->zero_ms;

		if (time_ms >= since_ms && !strcmp(us_report_text(event, "host"), host) &&
		    !strcmp(us_report_text(event, "event"), name) &&
		    strstr(us_report_text(event, "detail"), detail))
			return time_ms;
	}
	return -1;
}

/* QEMU's own failover sends no event for the unplug, for which the migration waits, and none for
 * the plug, which follows the negotiation at the destination. */
static void find_times(struct us_svg_panel *panel)
{
	bool is_qemu = !strcmp(us_report_text(panel->report, "manager"), "qemu");

	panel->stop_ms = time_of(panel, 0, "host-a", "STOP", "");
	panel->resume_ms = time_of(panel, 0, "host-b", "RESUME", "");
	panel->unplug_ms = is_qemu ? time_of(panel, 0, "host-a", "MIGRATION", "active")
				   : time_of(panel, 0, "host-a", "DEVICE_DELETED", "");
	panel->plug_ms = is_qemu ? time_of(panel, 0, "host-b", "FAILOVER_NEGOTIATED", "")
				 : time_of(panel, 0, "host-b", "move", "→ exposing");
}

bool us_svg_panel_init(struct us_svg_panel *panel, const json_t *report)
{
	*panel = (struct us_svg_panel){
		.report = report,
		.transition = us_summary_transition(report, "migrate"),
		.frames = json_object_get(json_array_get(json_object_get(report, "frames"), 0),
					  "to_guest"),
		.title = strcmp(us_report_text(report, "manager"), "qemu")
				 ? "With Understudy"
				 : "With QEMU's own failover",
	};
	if (!panel->transition || !panel->frames ||
	    !strcmp(us_report_text(report, "verdict"), "invalid"))
		return false;
	panel->zero_ms = us_report_real(panel->transition, "begin_ms");
	find_times(panel);
	return panel->unplug_ms >= 0 && panel->stop_ms >= 0 && panel->resume_ms >= 0 &&
	       panel->plug_ms >= 0;
}

/* A frame's time in tenths, its delay in hundredths of a millisecond (report-private.h). */
static double sent_ms(const struct us_svg_panel *panel, size_t i)
{
	return json_number_value(json_array_get(json_object_get(panel->frames, "times"), i)) / 10 -
	       panel->zero_ms;
}

static double late_ms(const struct us_svg_panel *panel, size_t i)
{
	return json_number_value(json_array_get(json_object_get(panel->frames, "delays"), i)) / 100;
}

static size_t frames_count(const struct us_svg_panel *panel)
{
	return json_array_size(json_object_get(panel->frames, "times"));
}

double us_svg_panel_end_ms(const struct us_svg_panel *panel)
{
	return us_report_real(panel->transition, "duration_ms");
}

double us_svg_panel_delay_ms(const struct us_svg_panel *panel, const struct us_svg_axes *axes)
{
	double delay_ms = 0;

	for (size_t i = 0; i < frames_count(panel); i++) {
		double time_ms = sent_ms(panel, i);

		if (time_ms >= axes->begin_ms && time_ms <= axes->end_ms &&
		    late_ms(panel, i) > delay_ms)
			delay_ms = late_ms(panel, i);
	}
	return delay_ms;
}

double us_svg_x(const struct us_svg_axes *axes, double ms)
{
	double x = US_SVG_LEFT + (ms - axes->begin_ms) / (axes->end_ms - axes->begin_ms) *
					 (US_SVG_WIDTH - US_SVG_LEFT - US_SVG_RIGHT);

	return x < US_SVG_LEFT			 ? US_SVG_LEFT
	       : x > US_SVG_WIDTH - US_SVG_RIGHT ? US_SVG_WIDTH - US_SVG_RIGHT
						 : x;
}

static void draw_box(FILE *out, const struct us_svg_axes *axes, const char *class, double begin_ms,
		     double end_ms, int top, int height)
{
	double begin = us_svg_x(axes, begin_ms), width = us_svg_x(axes, end_ms) - begin;

	fprintf(out, "<rect class='%s' x='%.1f' y='%d' width='%.1f' height='%d'/>\n", class, begin,
		top, width < 1.2 ? 1.2 : width, height);
}

void us_svg_text(FILE *out, const char *class, double x, int y, const char *anchor,
		 const char *text)
{
	fprintf(out, "<text class='%s' x='%.1f' y='%d' text-anchor='%s'>", class, x, y, anchor);
	for (; *text; text++)
		if (strchr("<>&", *text))
			fprintf(out, "&#%d;", *text);
		else
			fputc(*text, out);
	fprintf(out, "</text>\n");
}

static void draw_bar(FILE *out, const struct us_svg_axes *axes, const char *class, double begin_ms,
		     double end_ms, int top, const char *text)
{
	draw_box(out, axes, class, begin_ms, end_ms, top, LANE - 4);
	if (us_svg_x(axes, end_ms) - us_svg_x(axes, begin_ms) > 7 * strlen(text) + 8)
		us_svg_text(out, "bar", us_svg_x(axes, begin_ms) + 5, top + 11, "start", text);
}

static int draw_lane(FILE *out, const struct us_svg_panel *panel, int lane, const char *title)
{
	int top = panel->top + LANES + lane * LANE;

	us_svg_text(out, "soft", US_SVG_LEFT - 8, top + 11, "end", title);
	return top;
}

static void draw_where(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel)
{
	int top = draw_lane(out, panel, 0, "VM runs on");

	draw_bar(out, axes, "a", axes->begin_ms, panel->stop_ms, top, "host-a");
	draw_bar(out, axes, "b", panel->resume_ms, axes->end_ms, top, "host-b");
	top = draw_lane(out, panel, 1, "card plugged in");
	draw_bar(out, axes, "card", axes->begin_ms, panel->unplug_ms, top, "host-a");
	draw_bar(out, axes, "card", panel->plug_ms, axes->end_ms, top, "host-b");
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

/* The times of arrival, ascending; the caller's to free. */
static double *arrivals_of(const struct us_svg_panel *panel, size_t *ret_count)
{
	double *times = malloc((frames_count(panel) + 1) * sizeof(*times));

	*ret_count = times ? frames_count(panel) : 0;
	for (size_t i = 0; i < *ret_count; i++)
		times[i] = sent_ms(panel, i) + late_ms(panel, i);
	if (times)
		qsort(times, *ret_count, sizeof(*times), compare);
	return times;
}

/* Marks the longest pause, with the value of the report. */
static void draw_pause(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel,
		       double begin_ms, double end_ms, int top)
{
	const json_t *pause =
		json_object_get(json_object_get(panel->transition, "to_guest"), "longest_pause_ms");
	double begin = us_svg_x(axes, begin_ms), end = us_svg_x(axes, end_ms);
	char text[64], duration[32];

	snprintf(text, sizeof(text), "pause %s", us_summary_duration(pause, duration));
	fprintf(out,
		"<path class='pause' d='M%.1f %dv14M%.1f %dh%.1fM%.1f %dv14' "
		"stroke-width='1.6'/>\n",
		begin, top, begin, top + 13, end - begin, end, top);
	if (end - begin > 90)
		us_svg_text(out, "pausing", (begin + end) / 2, top + 10, "middle", text);
	else
		us_svg_text(out, "pausing", end + 5, top + 11, "start", text);
}

static void draw_arrivals(FILE *out, const struct us_svg_axes *axes,
			  const struct us_svg_panel *panel)
{
	double together_ms = PAUSE_MS * 1000 / us_report_real(panel->report, "rate"), begin_ms,
	       longest_ms = 0, pause_ms = 0;
	int top = draw_lane(out, panel, 2, "frames arrive");
	size_t count, first = 0;
	US_CLEANUP(us_freep) double *times = arrivals_of(panel, &count);

	while (first < count && times[first] < axes->begin_ms)
		first++;
	begin_ms = first < count ? times[first] : 0;
	for (size_t i = first; i + 1 < count && times[i] <= axes->end_ms; i++) {
		double next_ms = times[i + 1];

		if (times[i] >= 0 && next_ms - times[i] > longest_ms) {
			longest_ms = next_ms - times[i];
			pause_ms = times[i];
		}
		if (next_ms - times[i] <= together_ms && next_ms <= axes->end_ms)
			continue;
		draw_box(out, axes, "heard", begin_ms, times[i], top, LANE - 4);
		begin_ms = next_ms;
	}
	draw_pause(out, axes, panel, pause_ms, pause_ms + longest_ms, top);
}

/* Dots at the same place are drawn once. */
static void draw_dots(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel,
		      bool is_late, const char *class)
{
	int bottom = panel->top + PLOT + PLOT_HEIGHT, last_x = -1, last_y = -1;

	fprintf(out, "<path class='%s' stroke-width='2.4' stroke-linecap='round' fill='none' d='",
		class);
	for (size_t i = 0; i < frames_count(panel); i++) {
		double time_ms = sent_ms(panel, i), delay_ms = late_ms(panel, i);
		int x = us_svg_x(axes, time_ms) * 2,
		    y = (bottom - delay_ms / axes->delay_ms * PLOT_HEIGHT) * 2;

		if (time_ms < axes->begin_ms || time_ms > axes->end_ms ||
		    (delay_ms > LATE_MS) != is_late || (x == last_x && y == last_y))
			continue;
		fprintf(out, "M%.1f %.1fh0", x / 2., y / 2.);
		last_x = x;
		last_y = y;
	}
	fprintf(out, "'/>\n");
}

static void draw_losses(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel)
{
	json_t *loss;
	size_t i;

	json_array_foreach (json_object_get(panel->frames, "lost"), i, loss) {
		double begin_ms = json_number_value(json_array_get(loss, 0)) / 10 - panel->zero_ms,
		       end_ms = json_number_value(json_array_get(loss, 1)) / 10 - panel->zero_ms;

		if (end_ms >= axes->begin_ms && begin_ms <= axes->end_ms)
			draw_box(out, axes, "lost", begin_ms, end_ms, panel->top + PLOT,
				 PLOT_HEIGHT);
	}
}

static void draw_plot(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel)
{
	int bottom = panel->top + PLOT + PLOT_HEIGHT;
	char text[32];

	for (int part = 0; part <= 2; part++) {
		json_t *ms = json_real(axes->delay_ms * part / 2);
		int y = bottom - PLOT_HEIGHT * part / 2;

		fprintf(out, "<path class='grid' d='M%d %d.5H%d'/>\n", US_SVG_LEFT, y,
			US_SVG_WIDTH - US_SVG_RIGHT);
		us_svg_text(out, "soft", US_SVG_LEFT - 8, y + 4, "end",
			    part ? us_summary_duration(ms, text) : "0");
		json_decref(ms);
	}
	us_svg_text(out, "soft", 14, bottom - PLOT_HEIGHT + 4, "start", "delay");
	draw_dots(out, axes, panel, false, "dots");
	draw_dots(out, axes, panel, true, "late");
	draw_losses(out, axes, panel);
}

void us_svg_panel_draw(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel)
{
	json_int_t lost = us_summary_number(panel->transition, "to_guest", "lost");
	char text[128], number[32], sent[32];

	us_svg_text(out, "head", 14, panel->top + 12, "start", panel->title);
	snprintf(text, sizeof(text), "%s of %s frames to the guest lost",
		 us_summary_count(lost, number),
		 us_summary_count(us_summary_number(panel->transition, "to_guest", "sent"), sent));
	us_svg_text(out, lost ? "head lost" : "head none", US_SVG_WIDTH - US_SVG_RIGHT,
		    panel->top + 12, "end", text);
	draw_box(out, axes, "stop", panel->stop_ms, panel->resume_ms, panel->top + LANES - 4,
		 PLOT + PLOT_HEIGHT - LANES + 4);
	draw_where(out, axes, panel);
	draw_arrivals(out, axes, panel);
	draw_plot(out, axes, panel);
}
