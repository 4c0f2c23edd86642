/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recognizes on a guest's console that its kernel crashed, hangs or found its memory damaged, so
 * that a dead guest is not taken for lost frames. Pure: bytes in, lines out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define US_LAB_KERNEL_CRASH_LINES 12 /* reported lines of one crash */

struct us_lab_kernel_crash {
	char line[240]; /* incomplete */
	size_t length;
	unsigned quoted;
};

typedef void (*us_lab_kernel_crash_fn)(void *userdata, const char *line);

/* Whether a kernel of Linux that prints @line will not serve its network any more. */
bool us_lab_kernel_has_crashed(const char *line);

/* Calls @fn for the first line that us_lab_kernel_has_crashed() and for those after it, up to
 * US_LAB_KERNEL_CRASH_LINES. A longer line is cut; it is made printable (util/printable.h). */
void us_lab_kernel_crash_feed(struct us_lab_kernel_crash *watch, const char *bytes, size_t size,
			      us_lab_kernel_crash_fn fn, void *userdata);
