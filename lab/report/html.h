/* SPDX-License-Identifier: BSD-3-Clause */
/* Pictures of runs, in one HTML file that needs nothing else. The page is picture.html. */
#pragma once

#include <jansson.h>

/*
 * Writes @reports (us_report_new()) that have frames, and @comparison (us_comparison_new()) or
 * NULL. Two reports of one migration with different managers are drawn one below the other first
 * (svg.h). Returns 0 or -errno.
 */
int us_html_write(const char *path, const json_t *reports, const json_t *comparison);

/* The page; generated from picture.html. */
extern const char us_html_page[];
