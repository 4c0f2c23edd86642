/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy pair add, assign, remove */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "util/cleanup.h"

static bool is_mode(const char *text)
{
	static const char *const modes[] = { "separate", "coupled", "combined" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(modes); i++)
		if (strcmp(modes[i], text) == 0)
			return true;
	return false;
}

/* A whole number; with @units a size with an optional K or M. Returns 0 or US_REFUSED. */
static int read_number(const char *text, bool units, json_t **ret_number, struct us_reason *reason)
{
	long long scale = 1, number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (units && end != text && strchr("KM", *end) && *end)
		scale = *end++ == 'K' ? 1024 : 1024 * 1024;
	if (end == text || *end || errno || number < 1 || number > INT64_MAX / scale)
		return us_refuse(reason,
				 units ? "a number, with K or M for KiB or MiB" : "a whole number");
	*ret_number = json_integer(number * scale);
	return 0;
}

static int read_seconds(const char *text, json_t **ret_usec, struct us_reason *reason)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < 1e6))
		return us_refuse(reason, "seconds");
	*ret_usec = json_integer((json_int_t)(seconds * 1e6));
	return 0;
}

/* The limits of parked frames; the daemon checks their range. */
static int read_park(const struct us_args *args, json_t **ret_park, struct us_reason *reason)
{
	static const char *const names[] = { "park-frames", "park-bytes", "park-time" };
	static const char *const members[] = { "frames", "bytes", "time_usec" };
	json_t *park = json_object();

	for (size_t i = 0; i < US_ARRAY_LENGTH(names); i++) {
		const char *text = us_args_value(args, names[i]);
		struct us_reason expected;
		json_t *number = NULL;
		int r;

		if (!text)
			continue;
		r = i < 2 ? read_number(text, i == 1, &number, &expected)
			  : read_seconds(text, &number, &expected);
		if (r != 0) {
			json_decref(park);
			return us_refuse(reason, "--%s %s: %s", names[i], text, expected.text);
		}
		json_object_set_new(park, members[i], number);
	}
	*ret_park = park;
	return 0;
}

/* The name in the API, which has no hyphens. NULL: there is no such handover. */
static const char *handover_name(const char *text)
{
	if (strcmp(text, "low-latency") == 0)
		return "low_latency";
	return strcmp(text, "lossless") == 0 ? "lossless" : NULL;
}

/* The options with a fixed list of values. */
static int check_choices(const struct us_args *args, struct us_reason *reason)
{
	const char *mode = us_args_value(args, "mode");
	const char *handover = us_args_value(args, "handover");
	const char *unused = us_args_value(args, "unused");

	if (mode && !is_mode(mode))
		return us_refuse(reason, "%s is no mode: separate, coupled or combined", mode);
	if (handover && !handover_name(handover))
		return us_refuse(reason, "%s is no handover: lossless or low-latency", handover);
	if (unused && strcmp(unused, "report") && strcmp(unused, "hide") &&
	    strcmp(unused, "ignore"))
		return us_refuse(reason, "--unused %s: report, hide or ignore", unused);
	return 0;
}

/* Sets the members for which an option of the same name was given. */
static void take_options(json_t *parameters, const struct us_args *args, const char *const *names)
{
	for (; *names; names++)
		if (us_args_has(args, *names))
			json_object_set_new(parameters, *names,
					    json_string(us_args_value(args, *names)));
}

enum us_exit us_cli_pair_add(struct us_cli *cli)
{
	static const char *const needed[] = { "vm", "standby", "port", NULL };
	static const char *const optional[] = { "mac", "mode", "group", "bus", NULL };
	const struct us_args *args = &cli->args;
	const char *spec = us_args_value(args, "primary");
	const char *handover = us_args_value(args, "handover");
	const char *unused = us_args_value(args, "unused");
	json_t *primary = NULL, *park = NULL, *parameters;
	struct us_reason reason;

	for (size_t i = 0; needed[i]; i++)
		if (!us_args_has(args, needed[i]))
			return us_cli_usage(cli, "pair add: --%s is missing", needed[i]);
	if (check_choices(args, &reason) != 0 ||
	    (spec && us_cli_read_spec(spec, &primary, &reason) != 0))
		return us_cli_usage(cli, "%s", reason.text);
	if (read_park(args, &park, &reason) != 0) {
		json_decref(primary);
		return us_cli_usage(cli, "%s", reason.text);
	}

	parameters = json_pack("{s:s}", "name", args->words[0]);
	take_options(parameters, args, needed);
	take_options(parameters, args, optional);
	if (primary)
		json_object_set_new(parameters, "primary", primary);
	if (us_args_has(args, "hold"))
		json_object_set_new(parameters, "hold", json_true());
	if (handover)
		json_object_set_new(parameters, "handover", json_string(handover_name(handover)));
	if (unused)
		json_object_set_new(parameters, "unused", json_string(unused));
	if (json_object_size(park) > 0)
		json_object_set(parameters, "park", park);
	json_decref(park);
	return us_cli_call(cli, "AddPair", parameters, NULL);
}

enum us_exit us_cli_pair_assign(struct us_cli *cli)
{
	const char *spec = us_args_value(&cli->args, "primary");
	json_t *primary = NULL;
	struct us_reason reason;

	if (!spec)
		return us_cli_usage(cli, "pair assign: --primary is missing");
	if (us_cli_read_spec(spec, &primary, &reason) != 0)
		return us_cli_usage(cli, "%s", reason.text);
	return us_cli_call(cli, "AssignPrimary",
			   json_pack("{s:s, s:o}", "name", cli->args.words[0], "primary", primary),
			   NULL);
}

enum us_exit us_cli_pair_remove(struct us_cli *cli)
{
	return us_cli_call(cli, "RemovePair", json_pack("{s:s}", "name", cli->args.words[0]), NULL);
}
