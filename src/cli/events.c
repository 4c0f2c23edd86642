/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy watch: one line for each event from now on. */
#include <time.h>

#include "cli/cli.h"

static void on_event(void *userdata, const json_t *parameters)
{
	const struct us_cli *cli = userdata;
	const json_t *event = json_object_get(parameters, "event");
	json_int_t usec = json_integer_value(json_object_get(event, "time_usec"));
	time_t seconds = usec / 1000000;
	struct tm local;
	char text[32];

	if (cli->json) {
		us_cli_print_json(event);
		return;
	}
	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%H:%M:%S", &local);
	printf("%s.%03d  %s\n", text, (int)(usec / 1000 % 1000),
	       us_cli_json_text(event, "line", ""));
	fflush(stdout);
}

enum us_exit us_cli_watch(struct us_cli *cli)
{
	const struct us_cli_request request = {
		.method = "Monitor",
		.more = true,
		.reply = on_event,
		.userdata = cli,
	};

	return us_cli_request_run(cli, &request);
}
