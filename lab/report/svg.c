/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See svg.h. Each manager has a panel, and all panels the same axes: the time since the command to
 * migrate, and the delay. A panel has lanes (where the VM runs, where its card is plugged, when
 * frames arrive) and a dot for each frame that was sent, at the time of its sending.
 */
#include <errno.h>
#include <string.h>

#include "lab/report/demo-summary.h"
#include "lab/report/svg.h"
#include "util/cleanup.h"

#define WIDTH 860
#define LEFT 118
#define RIGHT 16
#define TOP 66	  /* of the first panel */
#define PANEL 206 /* its height, with the space below */
#define LANES 28  /* from its top to its first lane */
#define LANE 18	  /* from lane to lane */
#define PLOT 96	  /* from its top to its plot */
#define PLOT_HEIGHT 84
#define BEFORE_MS 400
#define LATE_MS 10
#define PAUSE_MS 20 /* an arrival so much later than the one before is not drawn together with it  \
		     */

struct axes {
	double begin_ms, end_ms; /* since the command to migrate */
	double delay_ms;	 /* at the top of the plot */
};

struct panel {
	const json_t *report, *transition, *frames;
	const char *title;
	double zero_ms; /* the command to migrate, since the run's begin */
	double unplug_ms, stop_ms, resume_ms, plug_ms;
	int top;
};

static const char style[] =
	"<style>\n"
	".us-picture{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\n"
	".us-picture text{fill:#1d2129;font-size:12px}\n"
	".us-picture .title{font-size:16px;font-weight:650}\n"
	".us-picture .head{font-size:14px;font-weight:650}\n"
	".us-picture .soft{fill:#5c6470}.us-picture .bar{fill:#10151c;font-size:11px}\n"
	".us-picture .paper{fill:#fff;stroke:#d9dbe0}.us-picture .grid{stroke:#d9dbe0}\n"
	".us-picture .a{fill:#9dbde9}.us-picture .b{fill:#c7b0ea}.us-picture .card{fill:#7cc49f}\n"
	".us-picture .heard{fill:#b8bec8}.us-picture .stop{fill:#1d2129;fill-opacity:.14}\n"
	".us-picture .lost{fill:#d1333b}.us-picture .dots{stroke:#4b6b94}\n"
	".us-picture .late{stroke:#d97a1c}.us-picture .none{fill:#2c7a54}\n"
	".us-picture .pause{stroke:#b35c00}.us-picture .pausing{fill:#b35c00;font-weight:650;\n"
	"paint-order:stroke;stroke:#fff;stroke-width:3px}\n"
	"@media (prefers-color-scheme:dark){\n"
	".us-picture text{fill:#e6e8ec}.us-picture .soft{fill:#9aa3b0}\n"
	".us-picture .bar{fill:#f6f7f9}.us-picture .paper{fill:#15181d;stroke:#343a44}\n"
	".us-picture .grid{stroke:#343a44}.us-picture .a{fill:#3a5f96}\n"
	".us-picture .b{fill:#6a4f9c}.us-picture .card{fill:#35835c}\n"
	".us-picture .heard{fill:#5a6270}.us-picture .stop{fill:#fff;fill-opacity:.2}\n"
	".us-picture .lost{fill:#ff6b6b}.us-picture .dots{stroke:#8fb0dc}\n"
	".us-picture .late{stroke:#f2a13f}.us-picture .none{fill:#6fcf9f}\n"
	".us-picture .pause{stroke:#f2a13f}.us-picture .pausing{fill:#f2a13f;\n"
	"stroke:#15181d}\n"
	"}\n"
	"</style>\n";

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static double real(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

/* Of the first event since @since_ms, in the panel's time; -1: there is none. */
static double time_of(const struct panel *panel, double since_ms, const char *host,
		      const char *name, const char *detail)
{
	json_t *event;
	size_t i;

	json_array_foreach (json_object_get(panel->report, "events"), i, event) {
		double time_ms = real(event, "time_ms") - panel->zero_ms;

		if (time_ms >= since_ms && !strcmp(text_of(event, "host"), host) &&
		    !strcmp(text_of(event, "event"), name) &&
		    strstr(text_of(event, "detail"), detail))
			return time_ms;
	}
	return -1;
}

/* QEMU's own failover tells neither of the unplug nor of the plug: the migration waits for the
 * one, and the destination's guest negotiates before the other. */
static void find_times(struct panel *panel)
{
	bool is_qemu = !strcmp(text_of(panel->report, "manager"), "qemu");

	panel->stop_ms = time_of(panel, 0, "host-a", "STOP", "");
	panel->resume_ms = time_of(panel, 0, "host-b", "RESUME", "");
	panel->unplug_ms = is_qemu ? time_of(panel, 0, "host-a", "MIGRATION", "active")
				   : time_of(panel, 0, "host-a", "DEVICE_DELETED", "");
	panel->plug_ms = is_qemu ? time_of(panel, 0, "host-b", "FAILOVER_NEGOTIATED", "")
				 : time_of(panel, 0, "host-b", "move", "→ exposing");
}

static bool panel_init(struct panel *panel, const json_t *report)
{
	*panel = (struct panel){
		.report = report,
		.transition = us_summary_transition(report, "migrate"),
		.frames = json_object_get(json_array_get(json_object_get(report, "frames"), 0),
					  "to_guest"),
		.title = strcmp(text_of(report, "manager"), "qemu") ? "With Understudy"
								    : "With QEMU's own failover",
	};
	if (!panel->transition || !panel->frames || !strcmp(text_of(report, "verdict"), "invalid"))
		return false;
	panel->zero_ms = real(panel->transition, "begin_ms");
	find_times(panel);
	return panel->unplug_ms >= 0 && panel->stop_ms >= 0 && panel->resume_ms >= 0 &&
	       panel->plug_ms >= 0;
}

static bool panels_init(struct panel panels[2], const json_t *reports)
{
	for (int i = 0; i < 2; i++)
		if (!panel_init(&panels[i], json_array_get(reports, i)))
			return false;
	return json_array_size(reports) == 2 &&
	       strcmp(text_of(panels[0].report, "manager"), text_of(panels[1].report, "manager"));
}

bool us_svg_is_possible(const json_t *reports)
{
	struct panel panels[2];

	return panels_init(panels, reports);
}

/* A frame's time, in tenths, and delay, in hundredths of a millisecond: see html.h. */
static double sent_ms(const struct panel *panel, size_t i)
{
	return json_number_value(json_array_get(json_object_get(panel->frames, "times"), i)) / 10 -
	       panel->zero_ms;
}

static double late_ms(const struct panel *panel, size_t i)
{
	return json_number_value(json_array_get(json_object_get(panel->frames, "delays"), i)) / 100;
}

static size_t frames_count(const struct panel *panel)
{
	return json_array_size(json_object_get(panel->frames, "times"));
}

/* The next of 100, 200, 500, 1000 … ms. */
static double round_up(double ms)
{
	static const double steps[] = { 1, 2, 5 };

	for (double decade = 100;; decade *= 10)
		for (size_t i = 0; i < US_ARRAY_LENGTH(steps); i++)
			if (ms <= steps[i] * decade || decade > 1e6)
				return steps[i] * decade;
}

static struct axes axes_of(const struct panel panels[2])
{
	struct axes axes = { -BEFORE_MS, 1000, 0 };
	double delay_ms = 0;

	for (int i = 0; i < 2; i++) {
		double end_ms = real(panels[i].transition, "duration_ms");

		if (end_ms > axes.end_ms)
			axes.end_ms = end_ms;
	}
	for (int i = 0; i < 2; i++)
		for (size_t n = 0; n < frames_count(&panels[i]); n++) {
			double time_ms = sent_ms(&panels[i], n);

			if (time_ms >= axes.begin_ms && time_ms <= axes.end_ms &&
			    late_ms(&panels[i], n) > delay_ms)
				delay_ms = late_ms(&panels[i], n);
		}
	axes.delay_ms = round_up(delay_ms);
	return axes;
}

static double x_of(const struct axes *axes, double ms)
{
	double x = LEFT +
		   (ms - axes->begin_ms) / (axes->end_ms - axes->begin_ms) * (WIDTH - LEFT - RIGHT);

	return x < LEFT ? LEFT : x > WIDTH - RIGHT ? WIDTH - RIGHT : x;
}

static void draw_box(FILE *out, const struct axes *axes, const char *class, double begin_ms,
		     double end_ms, int top, int height)
{
	double begin = x_of(axes, begin_ms), width = x_of(axes, end_ms) - begin;

	fprintf(out, "<rect class='%s' x='%.1f' y='%d' width='%.1f' height='%d'/>\n", class, begin,
		top, width < 1.2 ? 1.2 : width, height);
}

static void draw_text(FILE *out, const char *class, double x, int y, const char *anchor,
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

static void draw_bar(FILE *out, const struct axes *axes, const char *class, double begin_ms,
		     double end_ms, int top, const char *text)
{
	draw_box(out, axes, class, begin_ms, end_ms, top, LANE - 4);
	if (x_of(axes, end_ms) - x_of(axes, begin_ms) > 7 * strlen(text) + 8)
		draw_text(out, "bar", x_of(axes, begin_ms) + 5, top + 11, "start", text);
}

static int draw_lane(FILE *out, const struct panel *panel, int lane, const char *title)
{
	int top = panel->top + LANES + lane * LANE;

	draw_text(out, "soft", LEFT - 8, top + 11, "end", title);
	return top;
}

static void draw_where(FILE *out, const struct axes *axes, const struct panel *panel)
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

/* When frames arrived, ascending; the caller frees. */
static double *arrivals_of(const struct panel *panel, size_t *ret_count)
{
	double *times = malloc((frames_count(panel) + 1) * sizeof(*times));

	*ret_count = times ? frames_count(panel) : 0;
	for (size_t i = 0; i < *ret_count; i++)
		times[i] = sent_ms(panel, i) + late_ms(panel, i);
	if (times)
		qsort(times, *ret_count, sizeof(*times), compare);
	return times;
}

/* The longest time without an arrival is marked and named as the report has it. */
static void draw_pause(FILE *out, const struct axes *axes, const struct panel *panel,
		       double begin_ms, double end_ms, int top)
{
	const json_t *pause =
		json_object_get(json_object_get(panel->transition, "to_guest"), "longest_pause_ms");
	double begin = x_of(axes, begin_ms), end = x_of(axes, end_ms);
	char text[64], duration[32];

	snprintf(text, sizeof(text), "pause %s", us_summary_duration(pause, duration));
	fprintf(out,
		"<path class='pause' d='M%.1f %dv14M%.1f %dh%.1fM%.1f %dv14' "
		"stroke-width='1.6'/>\n",
		begin, top, begin, top + 13, end - begin, end, top);
	if (end - begin > 90)
		draw_text(out, "pausing", (begin + end) / 2, top + 10, "middle", text);
	else
		draw_text(out, "pausing", end + 5, top + 11, "start", text);
}

static void draw_arrivals(FILE *out, const struct axes *axes, const struct panel *panel)
{
	double together_ms = PAUSE_MS * 1000 / real(panel->report, "rate"), begin_ms,
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

/* Dots that would cover each other are one. */
static void draw_dots(FILE *out, const struct axes *axes, const struct panel *panel, bool is_late,
		      const char *class)
{
	int bottom = panel->top + PLOT + PLOT_HEIGHT, last_x = -1, last_y = -1;

	fprintf(out, "<path class='%s' stroke-width='2.4' stroke-linecap='round' fill='none' d='",
		class);
	for (size_t i = 0; i < frames_count(panel); i++) {
		double time_ms = sent_ms(panel, i), delay_ms = late_ms(panel, i);
		int x = x_of(axes, time_ms) * 2,
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

static void draw_losses(FILE *out, const struct axes *axes, const struct panel *panel)
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

static void draw_plot(FILE *out, const struct axes *axes, const struct panel *panel)
{
	int bottom = panel->top + PLOT + PLOT_HEIGHT;
	char text[32];

	for (int part = 0; part <= 2; part++) {
		json_t *ms = json_real(axes->delay_ms * part / 2);
		int y = bottom - PLOT_HEIGHT * part / 2;

		fprintf(out, "<path class='grid' d='M%d %d.5H%d'/>\n", LEFT, y, WIDTH - RIGHT);
		draw_text(out, "soft", LEFT - 8, y + 4, "end",
			  part ? us_summary_duration(ms, text) : "0");
		json_decref(ms);
	}
	draw_text(out, "soft", 14, bottom - PLOT_HEIGHT + 4, "start", "delay");
	draw_dots(out, axes, panel, false, "dots");
	draw_dots(out, axes, panel, true, "late");
	draw_losses(out, axes, panel);
}

static void draw_panel(FILE *out, const struct axes *axes, const struct panel *panel)
{
	json_int_t lost = us_summary_number(panel->transition, "to_guest", "lost");
	char text[128], number[32], sent[32];

	draw_text(out, "head", 14, panel->top + 12, "start", panel->title);
	snprintf(text, sizeof(text), "%s of %s frames to the guest lost",
		 us_summary_count(lost, number),
		 us_summary_count(us_summary_number(panel->transition, "to_guest", "sent"), sent));
	draw_text(out, lost ? "head lost" : "head none", WIDTH - RIGHT, panel->top + 12, "end",
		  text);
	draw_box(out, axes, "stop", panel->stop_ms, panel->resume_ms, panel->top + LANES - 4,
		 PLOT + PLOT_HEIGHT - LANES + 4);
	draw_where(out, axes, panel);
	draw_arrivals(out, axes, panel);
	draw_plot(out, axes, panel);
}

static void draw_axis(FILE *out, const struct axes *axes, int top)
{
	for (int second = 0; second * 1000 <= axes->end_ms; second++) {
		char text[16];

		snprintf(text, sizeof(text), "%d s", second);
		fprintf(out, "<path class='grid' d='M%.1f %dv5'/>\n", x_of(axes, second * 1000),
			top);
		draw_text(out, "soft", x_of(axes, second * 1000), top + 18, "middle", text);
	}
	draw_text(out, "soft", LEFT - 8, top + 18, "end", "since the start");
}

static void draw_legend(FILE *out, int top)
{
	static const struct {
		const char *class, *text;
		bool is_dot;
		int x;
	} items[] = {
		{ "dots", "a frame, at the time of its sending", true, 14 },
		{ "late", "one that arrived more than 10 ms late", true, 250 },
		{ "lost", "lost frames", false, 524 },
		{ "stop", "the VM is stopped", false, 640 },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(items); i++) {
		if (items[i].is_dot)
			fprintf(out,
				"<path class='%s' d='M%d %dh0' stroke-width='7' "
				"stroke-linecap='round'/>\n",
				items[i].class, items[i].x + 5, top + 8);
		else
			fprintf(out, "<rect class='%s' x='%d' y='%d' width='10' height='12'/>\n",
				items[i].class, items[i].x, top + 2);
		draw_text(out, "soft", items[i].x + 16, top + 12, "start", items[i].text);
	}
}

static void draw_title(FILE *out, const json_t *report)
{
	char text[200], rate[32], qemu[32], card[64];

	draw_text(out, "title", 14, 26, "start",
		  "Live migration of a VM with a passed-through network card");
	snprintf(text, sizeof(text), "%s frames a second to the guest · QEMU %s · the card is %s",
		 us_summary_count(json_integer_value(json_object_get(report, "rate")), rate),
		 us_summary_qemu(report, qemu), us_summary_card(report, card));
	draw_text(out, "soft", 14, 45, "start", text);
}

void us_svg_draw(FILE *out, const json_t *reports)
{
	int height = TOP + 2 * PANEL + 52;
	struct panel panels[2];
	struct axes axes;

	if (!panels_init(panels, reports))
		return;
	axes = axes_of(panels);
	fprintf(out,
		"<svg xmlns='http://www.w3.org/2000/svg' class='us-picture' viewBox='0 0 %d %d' "
		"role='img'>\n<!-- SPDX-License-Identifier: BSD-3-Clause -->\n"
		"<title>A live migration with Understudy and with QEMU's own failover</title>\n%s"
		"<rect class='paper' x='.5' y='.5' width='%d' height='%d' rx='8'/>\n",
		WIDTH, height, style, WIDTH - 1, height - 1);
	draw_title(out, panels[0].report);
	for (int i = 0; i < 2; i++) {
		panels[i].top = TOP + i * PANEL;
		draw_panel(out, &axes, &panels[i]);
	}
	draw_axis(out, &axes, TOP + 2 * PANEL - 18);
	draw_legend(out, TOP + 2 * PANEL + 20);
	fprintf(out, "</svg>\n");
}

int us_svg_write(const char *path, const json_t *reports)
{
	FILE *file = fopen(path, "we");
	bool has_failed;

	if (!file)
		return -errno;
	us_svg_draw(file, reports);
	has_failed = ferror(file);
	return fclose(file) || has_failed ? -EIO : 0;
}
