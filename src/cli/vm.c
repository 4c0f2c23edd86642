/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy vm attach, detach, list */
#include "cli/cli.h"

enum us_exit us_cli_vm_attach(struct us_cli *cli)
{
	const char *name = cli->args.words[0];
	const char *qmp = us_args_value(&cli->args, "qmp");
	const char *libvirt = us_args_value(&cli->args, "libvirt");
	/* The daemon has another working directory, so the path must be absolute. */
	US_CLEANUP(us_freep) char *path = NULL;

	if (!qmp == !us_args_has(&cli->args, "libvirt"))
		return us_cli_usage(cli, "vm attach: either --qmp PATH or --libvirt is needed");
	if (!qmp)
		return us_cli_call(cli, "AttachVm",
				   json_pack("{s:s, s:s}", "name", name, "libvirt",
					     *libvirt ? libvirt : "qemu:///system"),
				   NULL);
	if (*qmp != '/')
		path = realpath(qmp, NULL);
	return us_cli_call(cli, "AttachVm",
			   json_pack("{s:s, s:s}", "name", name, "qmp", path ? path : qmp), NULL);
}

enum us_exit us_cli_vm_detach(struct us_cli *cli)
{
	return us_cli_call(cli, "DetachVm", json_pack("{s:s}", "name", cli->args.words[0]), NULL);
}

/* "web0 web0-dmz" */
static json_t *join(const json_t *names)
{
	json_t *text = json_string("");
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		json_t *shorter = text;

		text = json_sprintf("%s%s%s", json_string_value(shorter), i > 0 ? " " : "",
				    json_string_value(name));
		json_decref(shorter);
	}
	return text;
}

/* Why the VM is not adopted; or else why the first pair is not as its domain declares it. */
static const char *problem_of(const json_t *vm)
{
	const char *refused = json_string_value(json_array_get(json_object_get(vm, "refused"), 0));

	return us_cli_json_text(vm, "problem", refused ? refused : "");
}

static void print_vms(void *userdata, const json_t *reply)
{
	json_t *rows = json_pack("[[s, s, s, s, s, s]]", "NAME", "STATE", "QEMU", "PID", "PAIRS",
				 "PROBLEM");
	const json_t *vm;
	size_t i;

	json_array_foreach (json_object_get(reply, "vms"), i, vm) {
		json_int_t pid = us_cli_json_number(vm, "pid");
		json_t *number = pid > 0 ? json_sprintf("%" JSON_INTEGER_FORMAT, pid) : json_null();

		json_array_append_new(
			rows, json_pack("[s, s, s, o, o, s]", us_cli_json_text(vm, "name", ""),
					us_cli_json_text(vm, "state", ""),
					us_cli_json_text(vm, "qemu", ""), number,
					join(json_object_get(vm, "pairs")), problem_of(vm)));
	}
	us_cli_print_table(rows);
}

enum us_exit us_cli_vm_list(struct us_cli *cli)
{
	return us_cli_call(cli, "ListVms", NULL, print_vms);
}
