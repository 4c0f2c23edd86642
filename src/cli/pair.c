/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy pair add, assign, remove */
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

/* Sets members from the options of the same name that were given. */
static void take_options(json_t *parameters, const struct us_args *args, const char *const *names)
{
	for (; *names; names++)
		if (us_args_has(args, *names))
			json_object_set_new(parameters, *names,
					    json_string(us_args_value(args, *names)));
}

static enum us_exit run_add(struct us_cli *cli)
{
	static const char *const needed[] = { "vm", "standby", "port", NULL };
	static const char *const optional[] = { "mode", "group", "bus", NULL };
	const struct us_args *args = &cli->args;
	const char *mode = us_args_value(args, "mode");
	const char *spec = us_args_value(args, "primary");
	json_t *primary = NULL, *parameters;
	struct us_reason reason;

	for (size_t i = 0; needed[i]; i++)
		if (!us_args_has(args, needed[i]))
			return us_cli_usage(cli, "pair add: --%s is missing", needed[i]);
	if (mode && !is_mode(mode))
		return us_cli_usage(cli, "%s is no mode: separate, coupled or combined", mode);
	if (spec && us_spec_read(spec, &primary, &reason) != 0)
		return us_cli_usage(cli, "%s", reason.text);

	parameters = json_pack("{s:s}", "name", args->words[0]);
	take_options(parameters, args, needed);
	take_options(parameters, args, optional);
	if (primary)
		json_object_set_new(parameters, "primary", primary);
	if (us_args_has(args, "hold"))
		json_object_set_new(parameters, "hold", json_true());
	return us_request_do(cli, "AddPair", parameters);
}

static enum us_exit run_assign(struct us_cli *cli)
{
	const char *spec = us_args_value(&cli->args, "primary");
	json_t *primary = NULL;
	struct us_reason reason;

	if (!spec)
		return us_cli_usage(cli, "pair assign: --primary is missing");
	if (us_spec_read(spec, &primary, &reason) != 0)
		return us_cli_usage(cli, "%s", reason.text);
	return us_request_do(
		cli, "AssignPrimary",
		json_pack("{s:s, s:o}", "name", cli->args.words[0], "primary", primary));
}

static enum us_exit run_remove(struct us_cli *cli)
{
	return us_request_do(cli, "RemovePair", json_pack("{s:s}", "name", cli->args.words[0]));
}

static const struct us_option add_options[] = {
	{ "vm", 0, "VM", "the VM, attached before" },
	{ "standby", 0, "DEVICE", "the id of its virtio-net device, with failover=on" },
	{ "port", 0, "IFNAME", "the standby's interface on the host's switch" },
	{ "primary", 0, "SPEC", "vfio:0000:5e:00.2 or emulated:MODEL,port=IFNAME" },
	{ "mode", 0, "MODE", "separate, coupled or combined (the default)" },
	{ "group", 0, "UUID", "the pair's group id" },
	{ "bus", 0, "BUS", "where to plug the primary; by itself it finds a free slot" },
	{ "hold", 0, NULL, "keep the primary hidden until `understudy expose`" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option assign_options[] = {
	{ "primary", 0, "SPEC", "vfio:0000:5e:00.2, emulated:MODEL,port=IFNAME, or none" },
	{ NULL, 0, NULL, NULL },
};

const struct us_command us_pair_commands[] = {
	{ "pair add",
	  "NAME --vm VM --standby DEVICE --port IFNAME [--primary SPEC] [--mode MODE]\n"
	  "                           [--group UUID] [--bus BUS] [--hold]",
	  "pair a VM's standby with a primary", add_options, 1, 1, run_add },
	{ "pair assign", "NAME --primary SPEC|none", "name a pair's primary, or take it away",
	  assign_options, 1, 1, run_assign },
	{ "pair remove", "NAME", "hide the primary and give everything back", NULL, 1, 1,
	  run_remove },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};
