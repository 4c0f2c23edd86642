/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a long command is doing now. On a terminal it is one line that is redrawn every second, from
 * a thread of its own, because preparing a guest blocks. Elsewhere it is one plain line for each
 * step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct us_progress;

/* Writes to @fd (borrowed). @log: a file whose last line tells details, or NULL. @is_plain: a line
 * for each step on a terminal as well. */
int us_progress_new(struct us_progress **ret_progress, int fd, const char *log, bool is_plain);
/* Erases the line. */
struct us_progress *us_progress_free(struct us_progress *progress);

/* Step @step of @steps begins: @text (static). Its detail is the last line that
 * the log has got since. */
void us_progress_step(struct us_progress *progress, unsigned step, unsigned steps,
		      const char *text);
/* More about it, for a terminal (static). */
void us_progress_detail(struct us_progress *progress, const char *text);

/* Writes "TEXT: DETAIL (N s)" into @line, at most @columns characters of ASCII: the detail is cut,
 * and left out if it is empty. */
void us_progress_format(char *line, size_t size, size_t columns, const char *text,
			const char *detail, uint64_t elapsed_sec);
