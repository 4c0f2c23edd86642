/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy pair add, assign, remove */
#include "cli/cli.h"
#include "util/quantity.h"

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
		uint64_t number;

		if (!text)
			continue;
		if ((units ? us_quantity_number(text, units, &number)
			   : us_quantity_seconds(text, &number)) < 0)
			return us_cli_usage(cli, "--%s %s: %s", limits[i].option, text,
					    limits[i].expected);
		json_object_set_new(park, limits[i].member, json_integer((json_int_t)number));
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

/* What libvirt knows of a domain that declares the pair. */
static enum us_exit check_add(const struct us_cli *cli)
{
	static const char *const needed[] = { "vm", "standby" };
	static const char *const known[] = { "port", "mac" };
	bool persists = us_args_has(&cli->args, "persist");

	if (!persists && cli->args.word_count == 0)
		return us_cli_usage(cli, "pair add: a NAME is needed, or --persist");
	for (size_t i = 0; i < US_ARRAY_LENGTH(needed); i++)
		if (!us_args_has(&cli->args, needed[i]))
			return us_cli_usage(cli, "pair add: --%s is missing", needed[i]);
	for (size_t i = 0; i < US_ARRAY_LENGTH(known); i++)
		if (persists && us_args_has(&cli->args, known[i]))
			return us_cli_usage(cli, "pair add --persist: libvirt knows the --%s",
					    known[i]);
	return check_choices(cli);
}

/* The parameters of AddPair and DeclarePair. Takes @park, borrows @primary. */
static json_t *add_parameters(const struct us_args *args, json_t *primary, json_t *park)
{
	/* Members with the name and the value of an option */
	static const char *const copied[] = {
		"vm", "standby", "port", "mac", "mode", "group", "bus", "unused",
	};
	const char *handover = us_args_value(args, "handover");
	json_t *parameters;

	/* The API's names have no hyphens. */
	if (handover && strcmp(handover, "low-latency") == 0)
		handover = "low_latency";
	parameters = json_pack("{s:s*, s:s*, s:O*, s:o*, s:O*}", "name",
			       args->word_count > 0 ? args->words[0] : NULL, "handover", handover,
			       "primary", primary, "hold",
			       us_args_has(args, "hold") ? json_true() : NULL, "park",
			       json_object_size(park) > 0 ? park : NULL);
	for (size_t i = 0; i < US_ARRAY_LENGTH(copied); i++)
		if (us_args_has(args, copied[i]))
			json_object_set_new(parameters, copied[i],
					    json_string(us_args_value(args, copied[i])));
	json_decref(park);
	return parameters;
}

static void print_name(void *userdata, const json_t *reply)
{
	const struct us_cli *cli = userdata;

	if (cli->args.word_count == 0)
		puts(us_cli_json_text(reply, "name", ""));
}

enum us_exit us_cli_pair_add(struct us_cli *cli)
{
	US_CLEANUP(json_decrefp) json_t *primary = NULL;
	US_CLEANUP(json_decrefp) json_t *park = json_object();
	bool persists = us_args_has(&cli->args, "persist");
	enum us_exit code = check_add(cli);
	json_t *parameters;

	if (code == US_EXIT_DONE && us_args_has(&cli->args, "primary"))
		code = read_spec(cli, &primary);
	if (code == US_EXIT_DONE)
		code = read_park(cli, park);
	if (code != US_EXIT_DONE)
		return code;
	parameters = add_parameters(&cli->args, primary, US_STEAL(park));
	return us_cli_call(cli, persists ? "DeclarePair" : "AddPair", parameters,
			   persists ? print_name : NULL);
}

/* --vm is for --persist. */
static enum us_exit check_vm(const struct us_cli *cli)
{
	if (us_args_has(&cli->args, "vm") && !us_args_has(&cli->args, "persist"))
		return us_cli_usage(cli, "--vm goes with --persist");
	return US_EXIT_DONE;
}

enum us_exit us_cli_pair_assign(struct us_cli *cli)
{
	const char *method =
		us_args_has(&cli->args, "persist") ? "DeclarePrimary" : "AssignPrimary";
	json_t *primary = NULL;
	enum us_exit code = check_vm(cli);

	if (!us_args_has(&cli->args, "primary"))
		return us_cli_usage(cli, "pair assign: --primary is missing");
	if (code == US_EXIT_DONE)
		code = read_spec(cli, &primary);
	if (code != US_EXIT_DONE)
		return code;
	return us_cli_call(cli, method,
			   json_pack("{s:s, s:s*, s:o}", "name", cli->args.words[0], "vm",
				     us_args_value(&cli->args, "vm"), "primary", primary),
			   NULL);
}

enum us_exit us_cli_pair_remove(struct us_cli *cli)
{
	const char *method = us_args_has(&cli->args, "persist") ? "UndeclarePair" : "RemovePair";
	enum us_exit code = check_vm(cli);

	if (code != US_EXIT_DONE)
		return code;
	return us_cli_call(cli, method,
			   json_pack("{s:s, s:s*}", "name", cli->args.words[0], "vm",
				     us_args_value(&cli->args, "vm")),
			   NULL);
}
