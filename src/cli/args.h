/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command line arguments: words and options in any order, as GNU programs take them.
 * --name VALUE, --name=VALUE, -n VALUE, -nVALUE; "--" ends the options.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* A table ends with a NULL name. */
struct us_option {
	const char *name;
	char letter;	      /* 0: none */
	const char *argument; /* the value's name in the help; NULL: the option has no value */
	const char *help;
};

enum {
	US_WORDS_MAX = 8,
	US_GIVEN_MAX = 128,
};

struct us_args {
	const char *words[US_WORDS_MAX];
	size_t word_count;
	struct {
		const char *name;
		const char *value; /* "" for an option without one */
	} given[US_GIVEN_MAX];
	size_t given_count;
};

/*
 * Appends the arguments in @argv, up to its NULL, to @args. With @first_word, stops at the first
 * word. @more_options may be NULL. All strings are borrowed from @argv and the tables. Returns 0 or
 * US_REFUSED; *@ret_rest is the first argument that was not read.
 */
int us_args_parse(struct us_args *args, char **argv, const struct us_option *options,
		  const struct us_option *more_options, bool first_word, char ***ret_rest,
		  struct us_reason *reason);

bool us_args_has(const struct us_args *args, const char *name);
/* The last value given for an option, "" if it has none; NULL if it was not given. */
const char *us_args_value(const struct us_args *args, const char *name);
