/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The panels of the picture, one for each manager, and their common axes: the time since the
 * command to migrate, and the delay. A panel has lanes (where the VM runs, where its card is
 * plugged, when frames arrive) and a dot for each frame, at the time of its sending.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define US_SVG_WIDTH 860
#define US_SVG_LEFT 118
#define US_SVG_RIGHT 16
#define US_SVG_PANEL 206 /* height of a panel, with the space below */

struct us_svg_axes {
	double begin_ms, end_ms; /* since the command to migrate */
	double delay_ms;	 /* at the top of the plot */
};

struct us_svg_panel {
	const json_t *report, *transition, *frames;
	const char *title;
	double zero_ms; /* the command to migrate, since the run's begin */
	double unplug_ms, stop_ms, resume_ms, plug_ms;
	int top;
};

/* False if the report does not have what a panel needs. */
bool us_svg_panel_init(struct us_svg_panel *panel, const json_t *report);
void us_svg_panel_draw(FILE *out, const struct us_svg_axes *axes, const struct us_svg_panel *panel);
/* The end of the panel's transition, and the greatest delay of a frame between the axes' times. */
double us_svg_panel_end_ms(const struct us_svg_panel *panel);
double us_svg_panel_delay_ms(const struct us_svg_panel *panel, const struct us_svg_axes *axes);

/* The x coordinate of a time, within the plot. */
double us_svg_x(const struct us_svg_axes *axes, double ms);
void us_svg_text(FILE *out, const char *class, double x, int y, const char *anchor,
		 const char *text);
