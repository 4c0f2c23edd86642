/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudy prepare, finish, migrate. The daemon migrates; this program shows the progress, and
 * may end without any effect on the migration.
 */

#include "api/uri.h"
#include "cli/cli.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LINE_USEC (2 * US_USEC_PER_SEC) /* between lines that are not rewritten: no terminal */

/* ---- Around someone else's migration ---- */

enum us_exit us_cli_prepare(struct us_cli *cli)
{
	const char *vm = cli->args.words[0];
	enum us_exit code = us_cli_call(cli, "Prepare", json_pack("{s:s}", "vm", vm), NULL);

	if (code == US_EXIT_DONE && !cli->json)
		printf("%s can be migrated now; afterwards: understudy finish %s\n", vm, vm);
	return code;
}

enum us_exit us_cli_finish(struct us_cli *cli)
{
	return us_cli_call(cli, "Finish", json_pack("{s:s}", "vm", cli->args.words[0]), NULL);
}

/* ---- Progress ---- */

struct show {
	const struct us_cli *cli;
	bool tty;
	char stage[32]; /* of the last line */
	bool undo;
	uint64_t shown_usec;
	json_int_t downtime_msec; /* -1: not known */
};

static double mib(const json_t *progress, const char *name)
{
	return (double)us_cli_json_number(progress, name) / (1024 * 1024);
}

/* "transfer  43%  512 of 1190 MiB  112.0 MiB/s  dirty 3.1 MiB/s  6 s to go" */
static void print_transfer(const json_t *progress)
{
	double total = mib(progress, "total_bytes"), left = mib(progress, "remaining_bytes");
	json_int_t expected = us_cli_json_number(progress, "expected_msec");

	printf("transfer %3.0f%%  %.0f of %.0f MiB  %.1f MiB/s  dirty %.1f MiB/s",
	       100 * (total - left) / total, total - left, total, mib(progress, "bytes_per_sec"),
	       mib(progress, "dirty_bytes_per_sec"));
	if (expected >= 0)
		printf("  %.1f s to go", (double)expected / 1000);
}

static void print_progress(const struct show *show, const json_t *progress, const char *stage)
{
	if (show->tty)
		fputs("\r\033[K", stdout);
	if (strcmp(stage, "transfer") == 0 && !show->undo &&
	    us_cli_json_number(progress, "total_bytes") > 0)
		print_transfer(progress);
	else
		fputs(us_cli_json_text(progress, "line", stage), stdout);
	if (!show->tty)
		putchar('\n');
	fflush(stdout);
}

/* Ends the line that is being rewritten, before other output. */
static void end_line(const struct show *show)
{
	if (show->tty && show->stage[0]) {
		putchar('\n');
		fflush(stdout);
	}
}

/* A line of its own, which no later line replaces. */
static void print_warning(struct show *show, const char *warning)
{
	end_line(show);
	fprintf(stderr, "understudy: warning: %s\n", warning);
	show->stage[0] = '\0'; /* the next line is a new one */
}

static void on_progress(void *userdata, const json_t *parameters)
{
	struct show *show = userdata;
	const json_t *progress = json_object_get(parameters, "progress");
	const json_t *downtime = json_object_get(progress, "downtime_msec");
	const char *warning = json_string_value(json_object_get(progress, "warning"));
	const char *stage = us_cli_json_text(progress, "stage", "");
	bool undo = json_is_true(json_object_get(progress, "undo"));
	bool moved = strcmp(stage, show->stage) != 0 || undo != show->undo;
	uint64_t now_usec = us_now_usec();

	if (json_is_integer(downtime))
		show->downtime_msec = json_integer_value(downtime);
	if (warning) {
		print_warning(show, warning);
		return;
	}
	snprintf(show->stage, sizeof(show->stage), "%s", stage);
	show->undo = undo;
	if (!show->tty && !moved && now_usec - show->shown_usec < LINE_USEC)
		return;
	show->shown_usec = now_usec;
	print_progress(show, progress, stage);
}

static void on_interrupted(void *userdata)
{
	struct show *show = userdata;
	const char *vm = show->cli->args.words[0];
	/* The commands must reach the same daemon. */
	const char *host = us_args_value(&show->cli->args, "host");
	const char *option = host ? " -H " : "";

	host = host ? host : "";
	end_line(show);
	us_cli_fail(show->cli, US_EXIT_FAILED,
		    "the migration of %s goes on: `understudy%s%s watch` follows it, "
		    "`understudy%s%s migrate %s --abort` ends it",
		    vm, option, host, option, host, vm);
}

/* ---- Migrating ---- */

/* The --set K=V options as an object. */
static enum us_exit read_settings(const struct us_cli *cli, json_t *settings)
{
	const struct us_args *args = &cli->args;

	for (size_t i = 0; i < args->given_count; i++) {
		const char *text = args->given[i].value;
		const char *equals = strchr(text, '=');
		char key[128];

		if (strcmp(args->given[i].name, "set") != 0)
			continue;
		if (!equals || equals == text || (size_t)(equals - text) >= sizeof(key))
			return us_cli_usage(cli, "%s is no setting: write K=V", text);
		snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
		json_object_set_new(settings, key, json_string(equals + 1));
	}
	return US_EXIT_DONE;
}

static enum us_exit read_deadline(const struct us_cli *cli, json_t *parameters)
{
	const char *text = us_args_value(&cli->args, "deadline");
	long seconds;
	char *end;

	if (!text)
		return US_EXIT_DONE;
	seconds = strtol(text, &end, 10);
	if (end == text || *end || seconds <= 0 || seconds > INT32_MAX)
		return us_cli_usage(cli, "%s is no deadline: give whole seconds", text);
	json_object_set_new(parameters, "deadline_sec", json_integer(seconds));
	return US_EXIT_DONE;
}

static enum us_exit migrate(struct us_cli *cli, json_t *parameters)
{
	struct show show = {
		.cli = cli,
		.tty = isatty(STDOUT_FILENO),
		.downtime_msec = -1,
	};
	const struct us_cli_request request = {
		.method = "Migrate",
		.parameters = parameters,
		.more = true,
		.reply = on_progress,
		.interrupted = on_interrupted,
		.userdata = &show,
	};
	enum us_exit code = us_cli_request_run(cli, &request);

	if (code != US_EXIT_DONE || cli->json)
		return code;
	end_line(&show);
	printf("%s runs at %s now", cli->args.words[0], us_args_value(&cli->args, "to"));
	if (show.downtime_msec >= 0)
		printf(" (downtime %" JSON_INTEGER_FORMAT " ms)", show.downtime_msec);
	putchar('\n');
	return code;
}

static enum us_exit abort_migration(struct us_cli *cli)
{
	const char *vm = cli->args.words[0];
	enum us_exit code;

	if (us_args_has(&cli->args, "to"))
		return us_cli_usage(cli, "migrate: either --to or --abort");
	code = us_cli_call(cli, "AbortMigration", json_pack("{s:s}", "vm", vm), NULL);
	if (code == US_EXIT_DONE && !cli->json)
		printf("the migration of %s is aborted; both hosts are as before\n", vm);
	return code;
}

/* "ssh://host" for "qemu+ssh://host/system"; else @to itself. The caller frees it. */
static char *host_of(const char *to)
{
	static const char prefix[] = "qemu+";
	const char *path = strstr(to, "://");

	if (strncmp(to, prefix, strlen(prefix)) != 0 || !path)
		return strdup(to);
	to += strlen(prefix);
	path = strchr(path + 3, '/');
	return path ? strndup(to, path - to) : strdup(to);
}

enum us_exit us_cli_migrate(struct us_cli *cli)
{
	US_CLEANUP(json_decrefp) json_t *settings = json_object();
	US_CLEANUP(json_decrefp) json_t *parameters = NULL;
	US_CLEANUP(us_freep) char *host = NULL;
	const char *to = us_args_value(&cli->args, "to");
	const char *peer = us_args_value(&cli->args, "peer");
	struct us_reason reason;
	struct us_uri uri;
	enum us_exit code;

	if (us_args_has(&cli->args, "abort"))
		return abort_migration(cli);
	if (!to)
		return us_cli_usage(cli, "migrate: --to HOST is missing");
	host = peer ? strdup(peer) : host_of(to);
	if (!host)
		abort();
	if (us_uri_parse(host, &uri, &reason) != 0)
		return us_cli_usage(cli, "%s", reason.text);
	parameters = json_pack("{s:s, s:s, s:O}", "vm", cli->args.words[0], "destination", host,
			       "settings", settings);
	if (strncmp(to, "qemu", strlen("qemu")) == 0)
		json_object_set_new(parameters, "libvirt", json_string(to));
	code = read_deadline(cli, parameters);
	if (code == US_EXIT_DONE)
		code = read_settings(cli, settings);
	return code == US_EXIT_DONE ? migrate(cli, US_STEAL(parameters)) : code;
}
