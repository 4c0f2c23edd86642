/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy hide, expose: set and remove a hold, the wish that a primary stays hidden. */
#include "cli/cli.h"

/* Whether the primary is hidden, or visible, as wished. */
static bool is_reached(const json_t *pair, bool hold)
{
	if (!hold)
		return us_cli_json_is(pair, "primary", "visible");
	return us_cli_json_is(pair, "primary", "hidden") ||
	       us_cli_json_is(pair, "primary", "reserved") ||
	       us_cli_json_is(pair, "primary", "absent");
}

static enum us_exit set_hold(struct us_cli *cli, bool hold)
{
	US_CLEANUP(json_decrefp) json_t *reply = NULL;
	const char *name = cli->args.words[0];
	const struct us_cli_request request = {
		.method = "SetHold",
		.parameters = json_pack("{s:s, s:b}", "name", name, "hold", hold),
		.ret_reply = &reply,
	};
	enum us_exit code = us_cli_request_run(cli, &request);
	US_CLEANUP(json_decrefp) json_t *pairs = json_pack("[O*]", json_object_get(reply, "pair"));
	const json_t *pair = json_array_get(pairs, 0);

	if (code != US_EXIT_DONE)
		return code;
	if (cli->json)
		us_cli_print_json(reply);
	else
		us_status_print(pairs);
	if (is_reached(pair, hold))
		return US_EXIT_DONE;
	return us_cli_fail(cli, US_EXIT_FAILED, "%s is not %s yet: %s: see understudy status %s",
			   name, hold ? "hidden" : "visible", us_cli_json_text(pair, "why", "?"),
			   name);
}

enum us_exit us_cli_hide(struct us_cli *cli)
{
	return set_hold(cli, true);
}

enum us_exit us_cli_expose(struct us_cli *cli)
{
	return set_hold(cli, false);
}
