/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "lab/report/summary.h"
#include "lab/report/svg.h"
#include "lab/report/svg-panel.h"
#include "lab/report/values.h"
#include "util/cleanup.h"

#define TOP 66 /* of the first panel */
#define BEFORE_MS 400

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

static bool panels_init(struct us_svg_panel panels[2], const json_t *reports)
{
	for (int i = 0; i < 2; i++)
		if (!us_svg_panel_init(&panels[i], json_array_get(reports, i)))
			return false;
	return json_array_size(reports) == 2 && strcmp(us_report_text(panels[0].report, "manager"),
						       us_report_text(panels[1].report, "manager"));
}

bool us_svg_is_possible(const json_t *reports)
{
	struct us_svg_panel panels[2];

	return panels_init(panels, reports);
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

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static struct us_svg_axes axes_of(const struct us_svg_panel panels[2])
{
	struct us_svg_axes axes = { -BEFORE_MS, 1000, 0 };

	for (int i = 0; i < 2; i++)
		axes.end_ms = greater(axes.end_ms, us_svg_panel_end_ms(&panels[i]));
	axes.delay_ms = round_up(greater(us_svg_panel_delay_ms(&panels[0], &axes),
					 us_svg_panel_delay_ms(&panels[1], &axes)));
	return axes;
}

static void draw_axis(FILE *out, const struct us_svg_axes *axes, int top)
{
	for (int second = 0; second * 1000 <= axes->end_ms; second++) {
		char text[16];

		snprintf(text, sizeof(text), "%d s", second);
		fprintf(out, "<path class='grid' d='M%.1f %dv5'/>\n", us_svg_x(axes, second * 1000),
			top);
		us_svg_text(out, "soft", us_svg_x(axes, second * 1000), top + 18, "middle", text);
	}
	us_svg_text(out, "soft", US_SVG_LEFT - 8, top + 18, "end", "since the start");
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
		us_svg_text(out, "soft", items[i].x + 16, top + 12, "start", items[i].text);
	}
}

static void draw_title(FILE *out, const json_t *report)
{
	char text[200], rate[32], qemu[32], card[64];

	us_svg_text(out, "title", 14, 26, "start",
		    "Live migration of a VM with a passed-through network card");
	snprintf(text, sizeof(text), "%s frames a second to the guest · QEMU %s · the card is %s",
		 us_summary_count(json_integer_value(json_object_get(report, "rate")), rate),
		 us_summary_qemu(report, qemu), us_summary_card(report, card));
	us_svg_text(out, "soft", 14, 45, "start", text);
}

void us_svg_draw(FILE *out, const json_t *reports)
{
	int height = TOP + 2 * US_SVG_PANEL + 52;
	struct us_svg_panel panels[2];
	struct us_svg_axes axes;

	if (!panels_init(panels, reports))
		return;
	axes = axes_of(panels);
	fprintf(out,
		"<svg xmlns='http://www.w3.org/2000/svg' class='us-picture' viewBox='0 0 %d %d' "
		"role='img'>\n<!-- SPDX-License-Identifier: BSD-3-Clause -->\n"
		"<title>A live migration with Understudy and with QEMU's own failover</title>\n%s"
		"<rect class='paper' x='.5' y='.5' width='%d' height='%d' rx='8'/>\n",
		US_SVG_WIDTH, height, style, US_SVG_WIDTH - 1, height - 1);
	draw_title(out, panels[0].report);
	for (int i = 0; i < 2; i++) {
		panels[i].top = TOP + i * US_SVG_PANEL;
		us_svg_panel_draw(out, &axes, &panels[i]);
	}
	draw_axis(out, &axes, TOP + 2 * US_SVG_PANEL - 18);
	draw_legend(out, TOP + 2 * US_SVG_PANEL + 20);
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
