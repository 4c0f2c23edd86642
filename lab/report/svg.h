/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One picture of the same migration with two managers, to be shown small: in the README, or at the
 * head of the HTML. It follows the viewer's light or dark mode and needs no script or font.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* @reports (see us_report_new()) are two valid ones with "frames", of different managers, in both
 * of which a guest migrated. */
bool us_svg_is_possible(const json_t *reports);
/* Draws them if possible. */
void us_svg_draw(FILE *out, const json_t *reports);
/* The same into @path. Returns 0, or -errno. */
int us_svg_write(const char *path, const json_t *reports);
