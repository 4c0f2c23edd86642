/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of words and values, as an administrator writes them: each line is a word and its value,
 * "#" begins a comment, blanks do not matter.
 */
#pragma once

#include "util/error.h"

struct us_config_line {
	const char *path;
	unsigned number;
	const char *word, *value; /* up to 254 characters together */
};

/* "path:line: words: next step" */
#define US_CONFIG_REFUSE(line, reason, format, ...)                                                \
	us_refuse(reason, "%s:%u: " format, (line)->path, (line)->number, ##__VA_ARGS__)

/* Takes one line. Another answer than 0 ends the reading, and is its answer. */
typedef int (*us_config_fn)(void *userdata, const struct us_config_line *line,
			    struct us_reason *reason);

/* Reads all lines; no file is no lines. Returns 0, US_REFUSED with the line's number, or -errno. */
int us_config_read(const char *path, us_config_fn take, void *userdata, struct us_reason *reason);
