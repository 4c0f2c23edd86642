/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy status: one line for each pair; for one pair also its details and the next step. */
#include "cli/cli.h"

bool us_status_is_starting(const json_t *pair)
{
	return !json_is_true(json_object_get(pair, "driver_ok")) &&
	       (us_cli_json_is(pair, "guest", "capable") ||
		us_cli_json_is(pair, "guest", "legacy"));
}

static json_t *make_row(const json_t *pair)
{
	const char *migration = us_cli_json_text(pair, "migration", "");

	/* "none" is a dash, so that other values stand out. */
	if (strcmp(migration, "none") == 0)
		migration = "-";
	return json_pack("[s, s, s+, s, s, s, s]", us_cli_json_text(pair, "name", ""),
			 us_cli_json_text(pair, "vm", ""), us_cli_json_text(pair, "guest", ""),
			 us_status_is_starting(pair) ? " (starting)" : "",
			 us_cli_json_text(pair, "primary", ""), us_cli_json_text(pair, "path", ""),
			 migration, us_cli_json_text(pair, "why", ""));
}

void us_status_print(const json_t *pairs)
{
	json_t *rows = json_pack("[[s, s, s, s, s, s, s]]", "NAME", "VM", "GUEST", "PRIMARY",
				 "PATH", "MIGRATION", "WHY");
	const json_t *pair;
	size_t i;

	json_array_foreach (pairs, i, pair)
		json_array_append_new(rows, make_row(pair));
	us_cli_print_table(rows);
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
	const char *text, *name, *gap;
	char *step;
	size_t i = 0;
	int r;

	while (!fits(pair, next_steps[i].member, next_steps[i].value))
		i++;
	text = next_steps[i].text;
	name = us_cli_json_text(pair, next_steps[i].of_vm ? "vm" : "name", "?");
	gap = strstr(text, "%s");
	r = gap ? asprintf(&step, "%.*s%s%s", (int)(gap - text), text, name, gap + 2)
		: asprintf(&step, "%s", text);
	if (r < 0)
		abort();
	return step;
}

/* NULL: no line. */
static void print_line(const char *label, const char *text)
{
	if (text)
		printf("  %-9s %s\n", label, text);
}

/* Prints nothing of an older daemon that does not know these members. */
static void print_frames(const json_t *pair)
{
	const json_t *park = json_object_get(pair, "park");
	const json_t *parked = json_object_get(pair, "parked");
	const char *at_stop = us_cli_json_text(pair, "at_stop", NULL);
	bool lossless = us_cli_json_is(pair, "handover", "lossless");

	if (park)
		print_line("handover", lossless ? "lossless" : "low-latency");
	print_line("unused", us_cli_json_text(pair, "unused", NULL));
	if (park && lossless)
		printf("  %-9s at most %" JSON_INTEGER_FORMAT " frames, %" JSON_INTEGER_FORMAT
		       " KiB, %g s\n",
		       "park", us_cli_json_number(park, "frames"),
		       us_cli_json_number(park, "bytes") / 1024,
		       (double)us_cli_json_number(park, "time_usec") / 1e6);
	if (at_stop)
		print_line(
			"at stop",
			strcmp(at_stop, "drain") == 0
				? "drain: undelivered frames are taken from a stopped QEMU"
				: "predict: frames are parked before a migration stops the guest; "
				  "to drain instead, give understudyd CAP_SYS_PTRACE");
	if (json_is_object(parked))
		printf("  %-9s %" JSON_INTEGER_FORMAT " frames, %" JSON_INTEGER_FORMAT
		       " released; lost: %" JSON_INTEGER_FORMAT
		       " beyond the bounds, %" JSON_INTEGER_FORMAT " not taken by the port\n",
		       "parked", us_cli_json_number(parked, "held"),
		       us_cli_json_number(parked, "released"),
		       us_cli_json_number(parked, "overflowed"),
		       us_cli_json_number(parked, "undelivered"));
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
	US_CLEANUP(us_freep) char *next = us_status_next_step(pair);

	putchar('\n');
	for (size_t i = 0; i < US_ARRAY_LENGTH(lines); i++)
		print_line(lines[i].label, us_cli_json_text(pair, lines[i].member, NULL));
	print_line("hold", json_is_true(json_object_get(pair, "hold")) ? "yes" : "no");
	print_frames(pair);
	print_line("next", next);
}

static void print_reply(void *userdata, const json_t *reply)
{
	const struct us_cli *cli = userdata;
	const json_t *pairs = json_object_get(reply, "pairs");

	us_status_print(pairs);
	if (cli->args.word_count > 0)
		print_details(json_array_get(pairs, 0));
}

enum us_exit us_cli_status(struct us_cli *cli)
{
	json_t *parameters = NULL;

	if (cli->args.word_count > 0)
		parameters = json_pack("{s:[s]}", "names", cli->args.words[0]);
	return us_cli_call(cli, "ListPairs", parameters, print_reply);
}
