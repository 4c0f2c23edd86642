/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration files: each line is a word and its value, "#" begins a comment, blanks separate.
 */
#pragma once

#include "util/error.h"

struct us_config_line {
	const char *path;
	unsigned number;
	const char *word, *value; /* up to 254 characters together */
};

/* Refuses a line: "PATH:LINE: PROBLEM". */
#define US_CONFIG_REFUSE(line, reason, format, ...)                                                \
	us_refuse(reason, "%s:%u: " format, (line)->path, (line)->number, ##__VA_ARGS__)

/* Takes one line. A result other than 0 ends the reading, and is its result. */
typedef int (*us_config_fn)(void *userdata, const struct us_config_line *line,
			    struct us_reason *reason);

/*
 * Reads all lines; a file that does not exist has none. Returns 0, US_REFUSED with the number of
 * the line, or -errno.
 */
int us_config_read(const char *path, us_config_fn take, void *userdata, struct us_reason *reason);
