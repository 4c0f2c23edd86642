/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of runs, in one HTML file that needs nothing else. The page is picture.html. */
#pragma once

#include "lab/scenario/run.h"

/* What became of every frame, for the report's "frames"; the caller's. Times are tenths of a
 * millisecond since the run's begin, delays hundredths of a millisecond. */
json_t *us_html_frames(const struct us_run *run);
/* Writes @reports, which keep their "frames" to themselves from then on, and @comparison (see
 * us_comparison_new()) or NULL. Two reports of one migration with different managers are drawn one below the
 * other first (svg.h). Returns 0 or -errno. */
int us_html_write(const char *path, const json_t *reports, const json_t *comparison);

extern const char us_html_page[];
