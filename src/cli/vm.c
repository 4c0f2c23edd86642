/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy vm attach, detach, list */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "util/cleanup.h"

enum us_exit us_cli_vm_attach(struct us_cli *cli)
{
	const char *name = cli->args.words[0];
	const char *qmp = us_args_value(&cli->args, "qmp");
	/* The daemon has another working directory, so the path must be absolute. */
	US_CLEANUP(us_freep) char *path = NULL;

	if (!qmp)
		return us_cli_usage(cli, "vm attach: --qmp PATH is missing");
	if (*qmp != '/')
		path = realpath(qmp, NULL);
	return us_cli_do(cli, "AttachVm",
			 json_pack("{s:s, s:s}", "name", name, "qmp", path ? path : qmp));
}

enum us_exit us_cli_vm_detach(struct us_cli *cli)
{
	return us_cli_do(cli, "DetachVm", json_pack("{s:s}", "name", cli->args.words[0]));
}

/* "web0 web0-dmz"; the caller frees it. */
static char *join(const json_t *names)
{
	char *text = NULL;
	size_t size, i;
	const json_t *name;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (i = 0; i < json_array_size(names); i++) {
		name = json_array_get(names, i);
		fprintf(out, "%s%s", i ? " " : "", json_string_value(name));
	}
	fclose(out);
	return text;
}

static void print_vms(const json_t *vms)
{
	static const char *const header[] = { "NAME", "STATE", "QEMU", "PID", "PAIRS", "PROBLEM" };
	struct us_table table = { .columns = US_ARRAY_LENGTH(header) };
	size_t count = json_array_size(vms);
	char **texts = calloc(2 * count + 1, sizeof(*texts));

	if (!texts)
		abort();
	us_table_add(&table, header);
	for (size_t i = 0; i < count; i++) {
		const json_t *vm = json_array_get(vms, i);
		json_int_t pid = json_integer_value(json_object_get(vm, "pid"));
		const char *cells[US_ARRAY_LENGTH(header)] = {
			us_cli_json_text(vm, "name", ""),
			us_cli_json_text(vm, "state", ""),
			us_cli_json_text(vm, "qemu", ""),
		};

		if (pid > 0 && asprintf(&texts[2 * i], "%" JSON_INTEGER_FORMAT, pid) < 0)
			abort();
		texts[2 * i + 1] = join(json_object_get(vm, "pairs"));
		cells[3] = texts[2 * i];
		cells[4] = texts[2 * i + 1];
		cells[5] = us_cli_json_text(vm, "problem", "");
		us_table_add(&table, cells);
	}
	us_table_print(&table);
	for (size_t i = 0; i < 2 * count; i++)
		free(texts[i]);
	free(texts);
}

enum us_exit us_cli_vm_list(struct us_cli *cli)
{
	US_CLEANUP(json_decrefp) json_t *reply = NULL;
	enum us_exit code = us_cli_call(cli, "ListVms", NULL, &reply);

	if (code != US_EXIT_DONE)
		return code;
	if (cli->json)
		us_cli_print_json(reply);
	else
		print_vms(json_object_get(reply, "vms"));
	return US_EXIT_DONE;
}
