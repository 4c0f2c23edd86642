/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "cli/args.h"

/* By its letter; if @letter is 0, by its name. */
static const struct us_option *find(const struct us_option *options, char letter, const char *name,
				    size_t length)
{
	for (; options && options->name; options++)
		if (letter ? options->letter == letter
			   : strlen(options->name) == length &&
				     strncmp(options->name, name, length) == 0)
			return options;
	return NULL;
}

static int give(struct us_args *args, const struct us_option *option, const char *value,
		struct us_reason *reason)
{
	if (args->given_count == US_GIVEN_MAX)
		return us_refuse(reason, "too many options");
	args->given[args->given_count].name = option->name;
	args->given[args->given_count].value = value;
	args->given_count++;
	return 0;
}

/* Reads the option at @*argv, and moves @*argv behind it. */
static int parse_option(struct us_args *args, char ***argv, const struct us_option *options,
			const struct us_option *more_options, struct us_reason *reason)
{
	const char *text = *(*argv)++;
	char letter = text[1] == '-' ? 0 : text[1];
	const char *rest = text + 2; /* of a long option: its name, then "=VALUE" */
	size_t length = letter ? 0 : strcspn(rest, "=");
	const struct us_option *option = find(options, letter, rest, length);
	const char *value = NULL;

	if (!option)
		option = find(more_options, letter, rest, length);
	if (rest[length])
		value = letter ? rest : rest + length + 1;
	if (!option)
		return us_refuse(reason, "unknown option %s", text);
	if (!option->argument)
		return value ? us_refuse(reason, "--%s takes no value", option->name)
			     : give(args, option, "", reason);
	if (!value && !**argv)
		return us_refuse(reason, "--%s needs %s", option->name, option->argument);
	return give(args, option, value ? value : *(*argv)++, reason);
}

int us_args_parse(struct us_args *args, char **argv, const struct us_option *options,
		  const struct us_option *more_options, bool first_word, char ***ret_rest,
		  struct us_reason *reason)
{
	bool only_words = false;
	int r = 0;

	while (r == 0 && *argv) {
		if (!only_words && strcmp(*argv, "--") == 0) {
			only_words = true;
			argv++;
		} else if (!only_words && (*argv)[0] == '-' && (*argv)[1]) {
			r = parse_option(args, &argv, options, more_options, reason);
		} else if (first_word) {
			break;
		} else if (args->word_count == US_WORDS_MAX) {
			r = us_refuse(reason, "too many arguments");
		} else {
			args->words[args->word_count++] = *argv++;
		}
	}
	*ret_rest = argv;
	return r;
}

const char *us_args_value(const struct us_args *args, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < args->given_count; i++)
		if (strcmp(args->given[i].name, name) == 0)
			value = args->given[i].value;
	return value;
}

bool us_args_has(const struct us_args *args, const char *name)
{
	return us_args_value(args, name) != NULL;
}
