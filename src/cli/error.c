/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors and usage on stderr. A message is one line, whatever a daemon or a script put into it. */
#include <stdarg.h>

#include "cli/cli.h"
#include "util/printable.h"

void us_cli_print_synopsis(FILE *out, const struct us_command *command)
{
	fprintf(out, "usage: understudy %s%s%s\n", command->name, *command->arguments ? " " : "",
		command->arguments);
}

__attribute__((format(printf, 1, 0))) static void print_error(const char *format, va_list arguments)
{
	US_CLEANUP(us_freep) char *text = NULL;

	fflush(stdout);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	us_make_printable(text);
	fprintf(stderr, "understudy: %s\n", text);
}

enum us_exit us_cli_fail(const struct us_cli *cli, enum us_exit code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	return code;
}

enum us_exit us_cli_usage(const struct us_cli *cli, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	if (cli->command)
		us_cli_print_synopsis(stderr, cli->command);
	else
		fputs("understudy --help lists the commands\n", stderr);
	return US_EXIT_USAGE;
}

enum us_exit us_cli_no_daemon(const struct us_cli *cli, int error)
{
	return us_cli_fail(cli, US_EXIT_NO_DAEMON,
			   "no understudyd at %s (%s): start it with systemctl start understudyd, "
			   "or name another with -H",
			   cli->host, us_strerror(error));
}
