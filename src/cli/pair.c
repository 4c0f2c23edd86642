/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy pair add, assign, remove */
#include <errno.h>
#include <stdint.h>

#include "cli/cli.h"

/* ---- Values of options ---- */

/* The daemon checks more than the form of a SPEC. */
static bool is_vfio(const char *spec)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	return sscanf(spec, "vfio:%4x:%2x:%2x.%1u%n", &domain, &bus, &slot, &function, &end) == 4 &&
	       !spec[end];
}

static bool is_pool(const char *spec)
{
	return strncmp(spec, "pool:", 5) == 0 && spec[5];
}

static bool is_emulated(const char *spec)
{
	static const char prefix[] = "emulated:", port[] = ",port=";
	const char *model = spec + strlen(prefix);
	const char *found;

	if (strncmp(spec, prefix, strlen(prefix)) != 0)
		return false;
	found = strstr(model, port);
	return found && found > model && found[strlen(port)];
}

/* Reads --primary as JSON; "none" becomes null. */
static enum us_exit read_spec(const struct us_cli *cli, json_t **ret_value)
{
	const char *spec = us_args_value(&cli->args, "primary");

	if (strcmp(spec, "none") == 0)
		*ret_value = json_null();
	else if (is_pool(spec) || is_vfio(spec) || is_emulated(spec))
		*ret_value = json_string(spec);
	else
		return us_cli_usage(cli,
				    "%s is no primary: pool:NAME, vfio:0000:5e:00.2, "
				    "emulated:MODEL,port=IFNAME, or none",
				    spec);
	return US_EXIT_DONE;
}

/* A whole number, with an optional letter of @units: K or M. NULL: @text is none. */
static json_t *read_number(const char *text, const char *units)
{
	long long scale = 1, number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end != text && *end && strchr(units, *end))
		scale = *end++ == 'K' ? 1024 : 1024 * 1024;
	if (end == text || *end || errno || number < 1 || number > INT64_MAX / scale)
		return NULL;
	return json_integer(number * scale);
}

/* Seconds as microseconds. NULL: @text is no time. */
static json_t *read_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < 1e6))
		return NULL;
	return json_integer((json_int_t)(seconds * 1e6));
}

/* The limits of parked frames; the daemon checks their range. */
static enum us_exit read_park(const struct us_cli *cli, json_t *park)
{
	static const struct {
		const char *option, *member, *expected;
		const char *units; /* NULL: a time */
	} limits[] = {
		{ "park-frames", "frames", "a whole number", "" },
		{ "park-bytes", "bytes", "a number, with K or M for KiB or MiB", "KM" },
		{ "park-time", "time_usec", "seconds", NULL },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(limits); i++) {
		const char *text = us_args_value(&cli->args, limits[i].option);
		const char *units = limits[i].units;
		json_t *number;

		if (!text)
			continue;
		number = units ? read_number(text, units) : read_seconds(text);
		if (!number)
			return us_cli_usage(cli, "--%s %s: %s", limits[i].option, text,
					    limits[i].expected);
		json_object_set_new(park, limits[i].member, number);
	}
	return US_EXIT_DONE;
}

/* The options with a fixed list of values. */
static enum us_exit check_choices(const struct us_cli *cli)
{
	const char *mode = us_args_value(&cli->args, "mode");
	const char *handover = us_args_value(&cli->args, "handover");
	const char *unused = us_args_value(&cli->args, "unused");

	if (mode && strcmp(mode, "separate") && strcmp(mode, "coupled") && strcmp(mode, "combined"))
		return us_cli_usage(cli, "%s is no mode: separate, coupled or combined", mode);
	if (handover && strcmp(handover, "lossless") && strcmp(handover, "low-latency"))
		return us_cli_usage(cli, "%s is no handover: lossless or low-latency", handover);
	if (unused && strcmp(unused, "report") && strcmp(unused, "hide") &&
	    strcmp(unused, "ignore"))
		return us_cli_usage(cli, "--unused %s: report, hide or ignore", unused);
	return US_EXIT_DONE;
}

/* ---- Commands ---- */

enum us_exit us_cli_pair_add(struct us_cli *cli)
{
	static const char *const needed[] = { "vm", "standby" };
	/* Members with the name and the value of an option */
	static const char *const copied[] = {
		"vm", "standby", "port", "mac", "mode", "group", "bus", "unused",
	};
	US_CLEANUP(json_decrefp) json_t *primary = NULL;
	US_CLEANUP(json_decrefp) json_t *park = json_object();
	const struct us_args *args = &cli->args;
	const char *handover = us_args_value(args, "handover");
	enum us_exit code;
	json_t *parameters;

	for (size_t i = 0; i < US_ARRAY_LENGTH(needed); i++)
		if (!us_args_has(args, needed[i]))
			return us_cli_usage(cli, "pair add: --%s is missing", needed[i]);
	code = check_choices(cli);
	if (code == US_EXIT_DONE && us_args_has(args, "primary"))
		code = read_spec(cli, &primary);
	if (code == US_EXIT_DONE)
		code = read_park(cli, park);
	if (code != US_EXIT_DONE)
		return code;

	/* The API's names have no hyphens. */
	if (handover && strcmp(handover, "low-latency") == 0)
		handover = "low_latency";
	parameters = json_pack("{s:s, s:s*, s:O*, s:o*, s:O*}", "name", args->words[0], "handover",
			       handover, "primary", primary, "hold",
			       us_args_has(args, "hold") ? json_true() : NULL, "park",
			       json_object_size(park) > 0 ? park : NULL);
	for (size_t i = 0; i < US_ARRAY_LENGTH(copied); i++)
		if (us_args_has(args, copied[i]))
			json_object_set_new(parameters, copied[i],
					    json_string(us_args_value(args, copied[i])));
	return us_cli_call(cli, "AddPair", parameters, NULL);
}

enum us_exit us_cli_pair_assign(struct us_cli *cli)
{
	json_t *primary = NULL;
	enum us_exit code;

	if (!us_args_has(&cli->args, "primary"))
		return us_cli_usage(cli, "pair assign: --primary is missing");
	code = read_spec(cli, &primary);
	if (code != US_EXIT_DONE)
		return code;
	return us_cli_call(cli, "AssignPrimary",
			   json_pack("{s:s, s:o}", "name", cli->args.words[0], "primary", primary),
			   NULL);
}

enum us_exit us_cli_pair_remove(struct us_cli *cli)
{
	return us_cli_call(cli, "RemovePair", json_pack("{s:s}", "name", cli->args.words[0]), NULL);
}
