/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy: finds the command in the table, reads its arguments, and runs it. */

#include "cli/cli.h"

#define DEFAULT_HOST "unix:/run/understudy/control"

enum {
	NAME_BYTES = 64,
	TYPO_MAX = 3, /* differences; more are no typo */
};

/* ---- Help ---- */

static void print_options(const struct us_option *options)
{
	for (; options && options->name; options++) {
		char left[NAME_BYTES];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", options->letter ? '-' : ' ',
			 options->letter ? options->letter : ' ', options->letter ? ", " : "  ",
			 options->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		printf("  %-24s %s\n", left, options->help);
	}
}

static enum us_exit print_command_help(const struct us_command *command)
{
	us_cli_print_synopsis(stdout, command);
	printf("\n%s\n\n", command->help);
	print_options(command->options);
	print_options(us_common_options);
	return US_EXIT_DONE;
}

static enum us_exit print_help(void)
{
	printf("usage: understudy [-H HOST] [--json] COMMAND …\n\n"
	       "Keeps a virtual machine's passed-through network card live-migratable.\n\n");
	for (const struct us_command *c = us_commands; c->name; c++)
		printf("  %-16s %s\n", c->name, c->help);
	printf("\n");
	print_options(us_common_options);
	printf("\nSee understudy COMMAND --help, and understudy(1).\n");
	return US_EXIT_DONE;
}

/* ---- Finding the command ---- */

/* The number of letters to change, add or remove that makes one word the other (Levenshtein). */
static size_t distance(const char *left, const char *right)
{
	size_t costs[NAME_BYTES];
	size_t length = strlen(right);

	for (size_t i = 0; i <= length; i++)
		costs[i] = i;
	for (; *left; left++) {
		size_t diagonal = costs[0]++;

		for (size_t i = 1; i <= length; i++) {
			size_t cost = diagonal + (*left != right[i - 1]);

			diagonal = costs[i];
			if (costs[i - 1] + 1 < cost)
				cost = costs[i - 1] + 1;
			if (diagonal + 1 < cost)
				cost = diagonal + 1;
			costs[i] = cost;
		}
	}
	return costs[length];
}

/* The command that is most similar to the typed words; NULL: none is similar. */
static const struct us_command *find_nearest(const char *one_word, const char *two_words)
{
	const struct us_command *nearest = NULL;
	size_t best = TYPO_MAX;

	for (const struct us_command *c = us_commands; c->name; c++) {
		size_t near = distance(strchr(c->name, ' ') ? two_words : one_word, c->name);

		if (near < best) {
			best = near;
			nearest = c;
		}
	}
	return nearest;
}

static const struct us_command *find_command(const char *name)
{
	for (const struct us_command *c = us_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Whether @word is the first of the command's two words. */
static bool is_in_group(const struct us_command *command, const char *word)
{
	size_t length = strlen(word);

	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

static bool is_group(const char *word)
{
	for (const struct us_command *c = us_commands; c->name; c++)
		if (is_in_group(c, word))
			return true;
	return false;
}

/* `understudy vm` by itself, or with --help: the commands that begin so. */
static enum us_exit print_group(const struct us_cli *cli, const char *word, bool wanted)
{
	if (!wanted)
		us_cli_fail(cli, US_EXIT_USAGE, "%s needs a command", word);
	for (const struct us_command *c = us_commands; c->name; c++)
		if (is_in_group(c, word))
			us_cli_print_synopsis(wanted ? stdout : stderr, c);
	return wanted ? US_EXIT_DONE : US_EXIT_USAGE;
}

static enum us_exit no_command(const struct us_cli *cli, const char *one_word,
			       const char *two_words)
{
	const struct us_command *nearest = find_nearest(one_word, two_words);
	const char *typed = is_group(one_word) ? two_words : one_word;

	if (nearest)
		return us_cli_usage(cli, "there is no command %s; did you mean %s?", typed,
				    nearest->name);
	return us_cli_usage(cli, "there is no command %s", typed);
}

/* ---- Running ---- */

static enum us_exit run_command(struct us_cli *cli, char **argv)
{
	const struct us_command *command = cli->command;
	const struct us_args *args = &cli->args;
	enum us_exit code = us_args_read(cli, &argv);

	if (code != US_EXIT_DONE)
		return code;
	if (us_args_has(args, "help"))
		return print_command_help(command);
	if (args->word_count < command->least_words)
		return us_cli_usage(cli, "%s: an argument is missing", command->name);
	if (args->word_count > command->most_words)
		return us_cli_usage(cli, "%s: %s is one argument too many", command->name,
				    args->words[command->most_words]);
	if (us_args_has(args, "host"))
		cli->host = us_args_value(args, "host");
	cli->json = us_args_has(args, "json");
	return command->run(cli);
}

/* A command is the first word or the first two; options may stand before it. */
static enum us_exit find_and_run(struct us_cli *cli, char **argv)
{
	enum us_exit code = us_args_read(cli, &argv);
	char name[NAME_BYTES];

	if (code != US_EXIT_DONE)
		return code;
	if (us_args_has(&cli->args, "version")) {
		puts("understudy " US_VERSION);
		return US_EXIT_DONE;
	}
	if (us_args_has(&cli->args, "help"))
		return print_help();
	if (!argv[0])
		return us_cli_usage(cli, "a command is missing");
	cli->command = find_command(argv[0]);
	if (cli->command)
		return run_command(cli, argv + 1);
	if (is_group(argv[0]) &&
	    (!argv[1] || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return print_group(cli, argv[0], argv[1]);
	snprintf(name, sizeof(name), "%s%s%s", argv[0], argv[1] ? " " : "", argv[1] ? argv[1] : "");
	cli->command = find_command(name);
	if (cli->command)
		return run_command(cli, argv + 2);
	return no_command(cli, argv[0], name);
}

int main(int argc, char **argv)
{
	struct us_cli cli = { .host = getenv("UNDERSTUDY_HOST") };
	enum us_exit code;

	if (!cli.host || !*cli.host)
		cli.host = DEFAULT_HOST;
	code = find_and_run(&cli, argv + 1);
	if (fflush(stdout) != 0 && code == US_EXIT_DONE)
		return us_cli_fail(&cli, US_EXIT_FAILED, "cannot write to stdout");
	return code;
}
