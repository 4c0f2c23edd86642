/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudy doctor: the problems of a host, or of a VM, and the next steps. The daemon finds most
 * of them (Diagnose). Here are those that it cannot find: that no daemon answers, that the versions
 * differ, and the state of pairs as everybody may read it.
 */
#include <errno.h>
#include <time.h>

#include "cli/cli.h"
#include "util/printable.h"

#define CONTROL "org.understudy.Control."

enum level { OK, WARNING, ERROR, LEVEL_N };

static const char *const level_names[] = {
	[OK] = "ok",
	[WARNING] = "warning",
	[ERROR] = "error",
};
_Static_assert(US_ARRAY_LENGTH(level_names) == LEVEL_N, "a name for each");

struct doctor {
	const struct us_cli *cli;
	const char *vm; /* NULL: the host alone */
	json_t *findings;
	json_t *reply, *error; /* the last ones */
};

/* @next: NULL for none. */
__attribute__((format(printf, 5, 6))) static void add(struct doctor *doctor, enum level level,
						      const char *about, const char *next,
						      const char *format, ...)
{
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	us_make_printable(text);
	json_array_append_new(doctor->findings,
			      json_pack("{s:s, s:s, s:s, s:s*}", "level", level_names[level],
					"about", about, "text", text, "next", next));
}

/* ---- Asking ---- */

static enum us_exit ask(struct doctor *doctor, const char *method, json_t *parameters)
{
	const struct us_cli_request request = {
		.method = method,
		.parameters = parameters,
		.ret_reply = &doctor->reply,
		.ret_error = &doctor->error,
	};

	return us_cli_request_run(doctor->cli, &request);
}

/* ---- The daemon ---- */

static void add_unreached(struct doctor *doctor)
{
	const char *next = "see `systemctl status understudyd`; it has to answer within seconds";
	json_int_t r = us_cli_json_number(doctor->error, "errno");

	if (r == -ENOENT)
		next = "systemctl start understudyd; or name the daemon with -H";
	else if (r == -ECONNREFUSED)
		next = "it has ended: journalctl -u understudyd shows why; systemctl restart "
		       "understudyd";
	else if (r == -EACCES)
		next = "make the socket's directory accessible (0755), or be root";
	else if (strncmp(doctor->cli->host, "ssh:", 4) == 0)
		next = "run `ssh HOST understudy status` by hand: ssh must not ask for anything";
	add(doctor, ERROR, "host", next, "nobody answers at %s: %s", doctor->cli->host,
	    us_cli_json_text(doctor->error, "message", ""));
}

static void add_daemon(struct doctor *doctor)
{
	const char *version = us_cli_json_text(doctor->reply, "version", "?");
	json_int_t since = us_cli_json_number(doctor->reply, "since_usec");
	json_int_t minutes = (time(NULL) - since / 1000000) / 60;

	add(doctor, OK, "host", NULL,
	    "understudyd %s answers at %s, since %" JSON_INTEGER_FORMAT " h %" JSON_INTEGER_FORMAT
	    " min; VMs: %" JSON_INTEGER_FORMAT ", pairs: %" JSON_INTEGER_FORMAT,
	    version, doctor->cli->host, minutes / 60, minutes % 60,
	    us_cli_json_number(doctor->reply, "vms"), us_cli_json_number(doctor->reply, "pairs"));
	if (strcmp(version, US_VERSION) != 0)
		add(doctor, WARNING, "host",
		    "after an update, systemctl restart understudyd; VMs and pairs stay as they "
		    "are",
		    "this understudy is %s, the daemon is %s", US_VERSION, version);
}

static void diagnose(struct doctor *doctor)
{
	json_t *parameters = doctor->vm ? json_pack("{s:s}", "vm", doctor->vm) : NULL;
	char next[160];

	if (ask(doctor, "Diagnose", parameters) == US_EXIT_DONE) {
		json_array_extend(doctor->findings, json_object_get(doctor->reply, "findings"));
	} else if (us_cli_json_is(doctor->error, "error", CONTROL "NotAllowed")) {
		add(doctor, WARNING, "host",
		    "be root, or join the group: usermod -aG understudy USER, and log in anew",
		    "you may read here, but change nothing, and there are no more findings for "
		    "you");
	} else if (us_cli_json_is(doctor->error, "error", CONTROL "NoSuchVm")) {
		snprintf(next, sizeof(next),
			 "understudy vm attach %.60s --qmp PATH; --libvirt for a domain of libvirt",
			 doctor->vm);
		add(doctor, ERROR, doctor->vm, next, "is not attached here");
	} else if (us_cli_json_is(doctor->error, "error", "org.varlink.service.MethodNotFound")) {
		add(doctor, WARNING, "host", "systemctl restart understudyd",
		    "the daemon is older than this understudy, and cannot diagnose itself");
	} else {
		add(doctor, ERROR, "host", "ask again; journalctl -u understudyd", "%s",
		    us_cli_json_text(doctor->error, "message", ""));
	}
}

/* ---- VMs and pairs, as everybody may read them ---- */

/* The problems of all VMs; `doctor VM` shows the rest. */
static void add_vms(struct doctor *doctor)
{
	const json_t *vm;
	char next[80];
	size_t i;

	if (ask(doctor, "ListVms", NULL) != US_EXIT_DONE)
		return;
	json_array_foreach (json_object_get(doctor->reply, "vms"), i, vm) {
		const char *name = us_cli_json_text(vm, "name", "?");
		const char *problem = us_cli_json_text(vm, "problem", NULL);

		snprintf(next, sizeof(next), "understudy doctor %s", name);
		if (problem)
			add(doctor, ERROR, name, next, "%s", problem);
	}
}

/* Whether the guest uses its primary, or the upper layer or another host is responsible. */
static bool is_well(const json_t *pair)
{
	return us_cli_json_is(pair, "primary", "visible") ||
	       us_cli_json_is(pair, "mode", "separate") ||
	       us_cli_json_is(pair, "migration", "incoming") ||
	       us_cli_json_is(pair, "migration", "moved");
}

static void add_pair(struct doctor *doctor, const json_t *pair)
{
	US_CLEANUP(us_freep) char *step = us_status_next_step(pair);
	const char *name = us_cli_json_text(pair, "name", "?");
	const char *guest = us_cli_json_text(pair, "guest", "?");
	const char *detail = us_cli_json_text(pair, "detail", NULL);

	add(doctor, is_well(pair) ? OK : WARNING, name, is_well(pair) ? NULL : step,
	    "guest %s%s, primary %s, path %s: %s%s%s", guest,
	    us_status_is_starting(pair) ? " (its driver is starting)" : "",
	    us_cli_json_text(pair, "primary", "?"), us_cli_json_text(pair, "path", "?"),
	    us_cli_json_text(pair, "why", "?"), detail ? ": " : "", detail ? detail : "");
}

/* Whether the pair waits for something that was refused. */
static bool is_troubled(const json_t *pair)
{
	bool waits = us_cli_json_is(pair, "primary", "absent") ||
		     json_is_true(json_object_get(pair, "driver_ok"));

	return waits && !is_well(pair) && us_cli_json_text(pair, "detail", NULL);
}

static void add_pairs(struct doctor *doctor)
{
	const json_t *pair;
	size_t i;

	if (ask(doctor, "ListPairs", NULL) != US_EXIT_DONE)
		return;
	json_array_foreach (json_object_get(doctor->reply, "pairs"), i, pair) {
		bool is_of_vm = doctor->vm && us_cli_json_is(pair, "vm", doctor->vm);

		if (is_of_vm || (!doctor->vm && is_troubled(pair)))
			add_pair(doctor, pair);
	}
}

/* ---- Output ---- */

static enum level level_of(const json_t *finding)
{
	enum level level = ERROR;

	while (level > OK && !us_cli_json_is(finding, "level", level_names[level]))
		level--;
	return level;
}

static void print(const json_t *finding, int width)
{
	const char *next = us_cli_json_text(finding, "next", NULL);

	printf("%-7s  %-*s  %s\n", level_names[level_of(finding)], width,
	       us_cli_json_text(finding, "about", ""), us_cli_json_text(finding, "text", ""));
	if (next)
		printf("%7s  %*s  next: %s\n", "", width, "", next);
}

/* Returns the exit status: the worst level of the findings. */
static int tell(const struct doctor *doctor)
{
	size_t counts[LEVEL_N] = { 0 }, i;
	const json_t *finding;
	int width = 0;

	json_array_foreach (doctor->findings, i, finding) {
		int length = strlen(us_cli_json_text(finding, "about", ""));

		width = length > width ? length : width;
		counts[level_of(finding)]++;
	}
	if (doctor->cli->json) {
		json_t *all = json_pack("{s:O}", "findings", doctor->findings);

		us_cli_print_json(all);
		json_decref(all);
	} else {
		json_array_foreach (doctor->findings, i, finding)
			print(finding, width);
		printf("\n%zu ok, %zu warning%s, %zu error%s\n", counts[OK], counts[WARNING],
		       counts[WARNING] == 1 ? "" : "s", counts[ERROR],
		       counts[ERROR] == 1 ? "" : "s");
	}
	return counts[ERROR] ? ERROR : counts[WARNING] ? WARNING : OK;
}

enum us_exit us_cli_doctor(struct us_cli *cli)
{
	US_CLEANUP(json_decrefp) json_t *findings = json_array();
	struct doctor doctor = {
		.cli = cli,
		.vm = cli->args.word_count ? cli->args.words[0] : NULL,
		.findings = findings,
	};
	enum us_exit code = ask(&doctor, "GetStatus", NULL);

	if (code == US_EXIT_USAGE)
		return code;
	if (code != US_EXIT_DONE) {
		add_unreached(&doctor);
	} else {
		add_daemon(&doctor);
		diagnose(&doctor);
		if (!doctor.vm)
			add_vms(&doctor);
		add_pairs(&doctor);
	}
	json_decref(doctor.reply);
	json_decref(doctor.error);
	return tell(&doctor);
}
