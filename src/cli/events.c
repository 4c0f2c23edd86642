/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy watch: one line for each event from now on. */
#include <time.h>

#include "cli/cli.h"

static void on_event(void *userdata, const json_t *parameters)
{
	const json_t *event = json_object_get(parameters, "event");
	json_int_t usec = us_cli_json_number(event, "time_usec");
	time_t seconds = usec / 1000000;
	struct tm local;
	char text[32];

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
		.json_member = "event",
		.reply = on_event,
	};

	return us_cli_request_run(cli, &request);
}
