/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/uri.h"
#include "cli/cli.h"

const struct us_option us_common_options[] = {
	{ "host", 'H', "HOST", "the daemon to ask: " US_URI_FORMS },
	{ "json", 0, NULL, "print the answers of the daemon, one JSON object per line" },
	{ "help", 'h', NULL, "print this help" },
	{ "version", 0, NULL, "print the version" },
	{ NULL, 0, NULL, NULL },
};

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

static enum us_exit give(struct us_cli *cli, const struct us_option *option, const char *value)
{
	struct us_args *args = &cli->args;

	if (args->given_count == US_GIVEN_MAX)
		return us_cli_usage(cli, "too many options");
	args->given[args->given_count].name = option->name;
	args->given[args->given_count].value = value;
	args->given_count++;
	return US_EXIT_DONE;
}

/* Reads the option at @*argv, and moves @*argv behind it. */
static enum us_exit read_option(struct us_cli *cli, char ***argv)
{
	const char *text = *(*argv)++;
	char letter = text[1] == '-' ? 0 : text[1];
	const char *rest = text + 2; /* of a long option: its name, then "=VALUE" */
	size_t length = letter ? 0 : strcspn(rest, "=");
	const struct us_option *option = find(us_common_options, letter, rest, length);
	const char *value = NULL;

	if (!option && cli->command)
		option = find(cli->command->options, letter, rest, length);
	if (rest[length])
		value = letter ? rest : rest + length + 1;
	if (!option)
		return us_cli_usage(cli, "unknown option %s", text);
	if (!option->argument)
		return value ? us_cli_usage(cli, "--%s takes no value", option->name)
			     : give(cli, option, "");
	if (!value && option->argument[0] == '[')
		return give(cli, option, "");
	if (!value && !**argv)
		return us_cli_usage(cli, "--%s needs %s", option->name, option->argument);
	return give(cli, option, value ? value : *(*argv)++);
}

enum us_exit us_args_read(struct us_cli *cli, char ***argv)
{
	struct us_args *args = &cli->args;
	enum us_exit code = US_EXIT_DONE;
	bool only_words = false;

	while (code == US_EXIT_DONE && **argv) {
		const char *text = **argv;

		if (!only_words && strcmp(text, "--") == 0) {
			only_words = true;
			++*argv;
		} else if (!only_words && text[0] == '-' && text[1]) {
			code = read_option(cli, argv);
		} else if (!cli->command) {
			break;
		} else if (args->word_count == US_WORDS_MAX) {
			return us_cli_usage(cli, "too many arguments");
		} else {
			args->words[args->word_count++] = *(*argv)++;
		}
	}
	return code;
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
