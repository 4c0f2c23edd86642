/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy status: one line for each pair; for one pair also its details and the next step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "util/cleanup.h"

static const char *const header[] = {
	"NAME", "VM", "GUEST", "PRIMARY", "PATH", "MIGRATION", "WHY"
};

bool us_status_is_starting(const json_t *pair)
{
	const char *guest = us_cli_json_text(pair, "guest", "");

	return !json_is_true(json_object_get(pair, "driver_ok")) &&
	       (strcmp(guest, "capable") == 0 || strcmp(guest, "legacy") == 0);
}

static const char *guest_text(const json_t *pair)
{
	const char *guest = us_cli_json_text(pair, "guest", "");

	if (!us_status_is_starting(pair))
		return guest;
	return strcmp(guest, "capable") == 0 ? "capable (starting)" : "legacy (starting)";
}

/* "none" is a dash, so that other values stand out. */
static const char *migration_text(const json_t *pair)
{
	const char *migration = us_cli_json_text(pair, "migration", "");

	return strcmp(migration, "none") == 0 ? "-" : migration;
}

static void add_pair(struct us_table *table, const json_t *pair)
{
	const char *cells[US_ARRAY_LENGTH(header)] = {
		us_cli_json_text(pair, "name", ""),
		us_cli_json_text(pair, "vm", ""),
		guest_text(pair),
		us_cli_json_text(pair, "primary", ""),
		us_cli_json_text(pair, "path", ""),
		migration_text(pair),
		us_cli_json_text(pair, "why", ""),
	};

	us_table_add(table, cells);
}

void us_status_print(const json_t *pairs)
{
	struct us_table table = { .columns = US_ARRAY_LENGTH(header) };

	us_table_add(&table, header);
	for (size_t i = 0; i < json_array_size(pairs); i++)
		add_pair(&table, json_array_get(pairs, i));
	us_table_print(&table);
}

/* ---- One pair ---- */

/*
 * The next step for a pair: the first line whose value the member has. "%s" is the name of the
 * pair, or of the VM if `of_vm`.
 */
static const struct {
	const char *member, *value;
	bool of_vm;
	const char *text;
} next_steps[] = {
	{ "migration", "prepared", true,
	  "migrate the VM, then run `understudy finish %s`; without a migration, that shows the "
	  "primary again" },
	{ "migration", "active", true,
	  "`understudy watch` follows the migration, `understudy migrate %s --abort` ends it" },
	{ "migration", "incoming", false, "nothing: the guest is migrating to this host" },
	{ "migration", "moved", true,
	  "the guest runs at another host: end this QEMU, or `understudy vm detach %s`" },
	{ "primary", "visible", false, "nothing: the guest uses the primary" },
	{ "primary", "unknown", false,
	  "`understudy vm list` shows why the VM's monitor does not answer" },
	{ "primary", "reserving", false, "wait: the host is reserving the primary" },
	{ "primary", "exposing", false, "wait: the guest is starting to use the primary" },
	{ "primary", "hiding", false,
	  "wait until the guest releases the primary; it does when it runs or is reset" },
	{ "hold", "true", false, "`understudy expose %s` lets the guest see the primary" },
	{ "mode", "separate", false, "nothing: the upper layer plugs and unplugs the primary" },
	{ "primary_spec", NULL, false,
	  "assign a primary: `understudy pair assign %s --primary SPEC`" },
	{ "primary", "absent", false,
	  "free the primary named above on this host; the daemon tries again by itself" },
	{ "guest", "unknown", false,
	  "wait: the daemon reads the state of the guest's driver; after a driver with 128 feature "
	  "bits (and QEMU later than 10.0), bind the driver again or reboot the guest" },
	{ "guest", "none", false,
	  "boot a guest that drives the standby; the primary is then shown by itself" },
	{ "guest", "legacy", false,
	  "nothing, if this guest is to use the standby; otherwise boot a guest whose virtio-net "
	  "driver negotiates STANDBY (Linux 4.17 or later, NetKVM)" },
	{ "name", "", false, "wait: the primary is shown by itself when this reason has passed" },
};

/* An empty value fits any member; NULL fits a member that is absent or null. */
static bool fits(const json_t *pair, const char *member, const char *value)
{
	const json_t *found = json_object_get(pair, member);

	if (!value)
		return !found || json_is_null(found);
	if (!*value)
		return true;
	if (json_is_boolean(found))
		return strcmp(value, json_is_true(found) ? "true" : "false") == 0;
	return json_is_string(found) && strcmp(json_string_value(found), value) == 0;
}

char *us_status_next_step(const json_t *pair)
{
	char *text = NULL;
	size_t size, i = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	while (!fits(pair, next_steps[i].member, next_steps[i].value))
		i++;
	for (const char *c = next_steps[i].text; *c; c++) {
		if (strncmp(c, "%s", 2) == 0) {
			fputs(us_cli_json_text(pair, next_steps[i].of_vm ? "vm" : "name", "?"),
			      out);
			c++;
		} else {
			fputc(*c, out);
		}
	}
	fclose(out);
	return text;
}

static void print_next_step(const json_t *pair)
{
	US_CLEANUP(us_freep) char *next = us_status_next_step(pair);

	printf("  %-9s %s\n", "next", next);
}

static json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* Prints nothing of an older daemon that does not know these members. */
static void print_frames(const json_t *pair)
{
	const json_t *park = json_object_get(pair, "park");
	const json_t *parked = json_object_get(pair, "parked");
	const char *at_stop = us_cli_json_text(pair, "at_stop", NULL);
	const char *unused = us_cli_json_text(pair, "unused", NULL);
	bool lossless = strcmp(us_cli_json_text(pair, "handover", ""), "lossless") == 0;

	if (park)
		printf("  %-9s %s\n", "handover", lossless ? "lossless" : "low-latency");
	if (unused)
		printf("  %-9s %s\n", "unused", unused);
	if (park && lossless)
		printf("  %-9s at most %" JSON_INTEGER_FORMAT " frames, %" JSON_INTEGER_FORMAT
		       " KiB, %g s\n",
		       "park", number_of(park, "frames"), number_of(park, "bytes") / 1024,
		       (double)number_of(park, "time_usec") / 1e6);
	if (at_stop)
		printf("  %-9s %s\n", "at stop",
		       strcmp(at_stop, "drain") == 0
			       ? "drain: undelivered frames are taken from a stopped QEMU"
			       : "predict: frames are parked before a migration stops the guest; "
				 "to drain instead, give understudyd CAP_SYS_PTRACE");
	if (json_is_object(parked))
		printf("  %-9s %" JSON_INTEGER_FORMAT " frames, %" JSON_INTEGER_FORMAT
		       " released; lost: %" JSON_INTEGER_FORMAT
		       " beyond the bounds, %" JSON_INTEGER_FORMAT " not taken by the port\n",
		       "parked", number_of(parked, "held"), number_of(parked, "released"),
		       number_of(parked, "overflowed"), number_of(parked, "undelivered"));
}

static void print_details(const json_t *pair)
{
	static const struct {
		const char *label, *member;
	} lines[] = {
		{ "mode", "mode" },
		{ "group", "group" },
		{ "mac", "mac" },
		{ "standby", "standby" },
		{ "port", "port" },
		{ "primary", "primary_spec" },
		{ "device", "primary_device" },
		{ "bus", "bus" },
		{ "detail", "detail" },
	};

	putchar('\n');
	for (size_t i = 0; i < US_ARRAY_LENGTH(lines); i++) {
		const char *text = us_cli_json_text(pair, lines[i].member, NULL);

		if (text)
			printf("  %-9s %s\n", lines[i].label, text);
	}
	printf("  %-9s %s\n", "hold", json_is_true(json_object_get(pair, "hold")) ? "yes" : "no");
	print_frames(pair);
	print_next_step(pair);
}

enum us_exit us_cli_status(struct us_cli *cli)
{
	US_CLEANUP(json_decrefp) json_t *reply = NULL;
	const char *name = cli->args.word_count ? cli->args.words[0] : NULL;
	json_t *parameters = name ? json_pack("{s:[s]}", "names", name) : NULL;
	enum us_exit code = us_cli_call(cli, "ListPairs", parameters, &reply);
	const json_t *pairs = json_object_get(reply, "pairs");

	if (code != US_EXIT_DONE)
		return code;
	if (cli->json) {
		us_cli_print_json(reply);
		return US_EXIT_DONE;
	}
	us_status_print(pairs);
	if (name)
		print_details(json_array_get(pairs, 0));
	return US_EXIT_DONE;
}
