/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The progress of a long command. On a terminal, one line is redrawn every second, by a thread of
 * its own, because the preparation of a guest blocks. Elsewhere, each step is one plain line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct us_progress;

/* Writes to @fd (borrowed). @log: a file whose last line is shown as the detail, or NULL.
 * @is_plain: one line for each step, also on a terminal. */
int us_progress_new(struct us_progress **ret_progress, int fd, const char *log, bool is_plain);
/* Erases the line. */
struct us_progress *us_progress_free(struct us_progress *progress);

/* Step @step of @steps begins: @text (static). Its detail is the newest line in the log since then.
 */
void us_progress_step(struct us_progress *progress, unsigned step, unsigned steps,
		      const char *text);
/* Another detail, for a terminal (static). */
void us_progress_detail(struct us_progress *progress, const char *text);

/* Writes "TEXT: DETAIL (N s)" into @line, at most @columns characters of ASCII. The detail is cut,
 * or left out if empty. */
void us_progress_format(char *line, size_t size, size_t columns, const char *text,
			const char *detail, uint64_t elapsed_sec);
