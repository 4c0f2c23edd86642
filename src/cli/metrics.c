/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy metrics: the text that a scraper gets, on stdout. */
#include "cli/cli.h"
#include "util/printable.h"

/* Made printable: the daemon may be of another host, and stdout a terminal. */
static void on_text(void *userdata, const json_t *parameters)
{
	US_CLEANUP(us_freep) char *text = strdup(us_cli_json_text(parameters, "text", ""));
	char *rest = text, *line;

	if (!text)
		abort();
	while ((line = strsep(&rest, "\n")) && (rest || *line)) {
		us_make_printable(line);
		puts(line);
	}
}

enum us_exit us_cli_metrics(struct us_cli *cli)
{
	const struct us_cli_request request = {
		.method = "GetMetrics",
		.more = true,
		.raw = true,
		.reply = on_text,
	};

	return us_cli_request_run(cli, &request);
}
