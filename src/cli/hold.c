/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy hide, expose: set and remove a hold, the wish that a primary stays hidden. */
#include <string.h>

#include "cli/cli.h"
#include "util/cleanup.h"

/* Whether the primary is hidden, or visible, as wished. */
static bool is_reached(const json_t *pair, bool hold)
{
	const char *primary = us_cli_json_text(pair, "primary", "");

	if (!hold)
		return strcmp(primary, "visible") == 0;
	return strcmp(primary, "hidden") == 0 || strcmp(primary, "reserved") == 0 ||
	       strcmp(primary, "absent") == 0;
}

static void print(const json_t *pair)
{
	json_t *pairs = json_pack("[O]", pair);

	us_status_print(pairs);
	json_decref(pairs);
}

static enum us_exit set_hold(struct us_cli *cli, bool hold)
{
	US_CLEANUP(json_decrefp) json_t *reply = NULL;
	const char *name = cli->args.words[0];
	const json_t *pair;
	enum us_exit code;

	code = us_cli_call(cli, "SetHold", json_pack("{s:s, s:b}", "name", name, "hold", hold),
			   &reply);
	if (code != US_EXIT_DONE)
		return code;
	pair = json_object_get(reply, "pair");
	if (cli->json)
		us_cli_print_json(reply);
	else
		print(pair);
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
