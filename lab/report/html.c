/* SPDX-License-Identifier: BSD-3-Clause */
/* The script in the page (picture.html) draws the data that is put in place of DATA. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/report/html.h"
#include "lab/report/svg.h"

#define PLACE "null /* DATA */"
#define OVERVIEW "<!-- OVERVIEW -->"

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
