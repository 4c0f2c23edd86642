/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy metrics: the text that a scraper gets, on stdout. */
#include <string.h>

#include "cli/cli.h"
#include "util/cleanup.h"
#include "util/printable.h"

/* Made printable: the daemon may be of another host, and stdout a terminal. */
static void print_lines(const char *text)
{
	US_CLEANUP(us_freep) char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		abort();
	while ((line = strsep(&rest, "\n")) && (rest || *line)) {
		us_make_printable(line);
		puts(line);
	}
}

static void on_text(void *userdata, const json_t *parameters)
{
	const struct us_cli *cli = userdata;

	if (cli->json)
		us_cli_print_json(parameters);
	else
		print_lines(us_cli_json_text(parameters, "text", ""));
}

enum us_exit us_cli_metrics(struct us_cli *cli)
{
	const struct us_cli_request request = {
		.method = "GetMetrics",
		.more = true,
		.raw = true,
		.reply = on_text,
		.userdata = cli,
	};

	return us_cli_request_run(cli, &request);
}
