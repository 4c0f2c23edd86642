/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudy from outside: the real program asks a real server, whose answers are canned and
 * checked against the interface. argv[1] is the program.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "api/interface.h"
#include "api/server.h"
#include "harness.h"

static const char *program;

/* ---- The server ---- */

static struct {
	struct us_interface *interface;
	char *asked;	      /* "Method{parameters}" of the last call */
	const char *answers;  /* JSON: an array; all but the last continue */
	const char *error;    /* instead: an error's name, with a message */
	struct us_call *held; /* Migrate with no last answer */
	bool hold_on;	      /* leave out the last answer */
} canned;

static void forget_held(void *userdata, struct us_call *call)
{
	canned.held = NULL;
}

static void answer_all(struct us_call *call, const char *method, const json_t *answers)
{
	const struct us_member *member =
		us_interface_find(canned.interface, US_MEMBER_METHOD, method);
	size_t count = json_array_size(answers);

	for (size_t i = 0; i < count; i++) {
		json_t *answer = json_deep_copy(json_array_get(answers, i));
		char where[128];

		if (us_type_check(member->out, answer, true, where, sizeof(where)) != 0)
			fail_msg("%s: the canned answer is wrong at %s", method, where);
		if (i + 1 < count || canned.hold_on)
			us_call_continue(call, answer);
		else
			us_call_reply(call, answer);
	}
}

static void handle(const char *method, struct us_call *call, const json_t *parameters)
{
	US_CLEANUP(us_freep) char *text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
	US_CLEANUP(json_decrefp) json_t *answers = NULL;

	free(US_STEAL(canned.asked));
	assert_true(asprintf(&canned.asked, "%s%s", method, text) > 0);
	if (canned.error) {
		us_call_fail(call, canned.error, "no such thing: see elsewhere");
		return;
	}
	if (canned.hold_on) {
		canned.held = call;
		us_call_on_gone(call, forget_held, NULL);
	}
	answers = json_loads(canned.answers ? canned.answers : "[{}]", 0, NULL);
	assert_non_null(answers);
	answer_all(call, method, answers);
}

#define HANDLER(method)                                                                            \
	static void handle_##method(void *userdata, struct us_call *call,                          \
				    const json_t *parameters)                                      \
	{                                                                                          \
		handle(#method, call, parameters);                                                 \
	}

HANDLER(AttachVm)
HANDLER(DetachVm)
HANDLER(ListVms)
HANDLER(AddPair)
HANDLER(RemovePair)
HANDLER(AssignPrimary)
HANDLER(ListPairs)
HANDLER(SetHold)
HANDLER(Prepare)
HANDLER(Finish)
HANDLER(Migrate)
HANDLER(AbortMigration)
HANDLER(Monitor)
HANDLER(GetMetrics)

static const struct us_method methods[] = {
	{ "AttachVm", true, handle_AttachVm },
	{ "DetachVm", true, handle_DetachVm },
	{ "ListVms", false, handle_ListVms },
	{ "AddPair", true, handle_AddPair },
	{ "RemovePair", true, handle_RemovePair },
	{ "AssignPrimary", true, handle_AssignPrimary },
	{ "ListPairs", false, handle_ListPairs },
	{ "SetHold", true, handle_SetHold },
	{ "Prepare", true, handle_Prepare },
	{ "Finish", true, handle_Finish },
	{ "Migrate", true, handle_Migrate },
	{ "AbortMigration", true, handle_AbortMigration },
	{ "Monitor", false, handle_Monitor },
	{ "GetMetrics", false, handle_GetMetrics },
	{ NULL, false, NULL },
};

/* ---- The program ---- */

struct output {
	int code;
	char out[8192], err[2048];
};

static void read_back(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
}

struct started {
	pid_t pid;
	int out, err;
};

/* @arguments in one string, apart by blanks. */
static struct started start(struct place *place, const char *arguments)
{
	struct started started = { .out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
				   .err = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };

	assert_true(started.out >= 0 && started.err >= 0);
	started.pid = fork();
	if (started.pid == 0) {
		char host[128], copy[512], *argv[32] = { (char *)program };
		size_t count = 1;

		snprintf(host, sizeof(host), "unix:%s", place->path);
		snprintf(copy, sizeof(copy), "%s", arguments);
		for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
			argv[count++] = word;
		setenv("UNDERSTUDY_HOST", host, true);
		setenv("TZ", "UTC", true);
		if (dup2(started.out, STDOUT_FILENO) >= 0 && dup2(started.err, STDERR_FILENO) >= 0)
			execv(program, argv);
		_exit(126);
	}
	return started;
}

static struct output finish(struct place *place, const struct started *started)
{
	struct output output = { .code = place_run_child(place, started->pid) };

	read_back(started->out, output.out, sizeof(output.out));
	read_back(started->err, output.err, sizeof(output.err));
	return output;
}

static struct output run(struct place *place, const char *arguments)
{
	struct started started = start(place, arguments);

	return finish(place, &started);
}

static struct us_server *server;

static int serve(void **state)
{
	struct place *place;

	place_setup(state);
	place = *state;
	memset(&canned, 0, sizeof(canned));
	assert_int_equal(us_interface_new(&canned.interface, us_control_interface_text, NULL), 0);
	assert_int_equal(us_server_new(&server, place->loop, place->path, -1, methods, NULL, NULL),
			 0);
	return 0;
}

static int unserve(void **state)
{
	us_server_free(US_STEAL(server));
	us_interface_free(canned.interface);
	free(canned.asked);
	return place_teardown(state);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* ---- Tests ---- */

/* What each command asks for. */
static void test_calls(void **state)
{
	static const struct {
		const char *arguments, *asked;
	} cases[] = {
		{ "vm attach web0 --qmp /run/web0.qmp",
		  "AttachVm{\"name\":\"web0\",\"qmp\":\"/run/web0.qmp\"}" },
		{ "vm attach --qmp=/run/web0.qmp web0",
		  "AttachVm{\"name\":\"web0\",\"qmp\":\"/run/web0.qmp\"}" },
		{ "vm detach web0", "DetachVm{\"name\":\"web0\"}" },
		{ "pair add p --vm web0 --standby net0 --port tap0 --primary vfio:0000:5e:00.2",
		  "AddPair{\"name\":\"p\",\"port\":\"tap0\",\"primary\":\"vfio:0000:5e:00.2\","
		  "\"standby\":\"net0\",\"vm\":\"web0\"}" },
		{ "pair add p --vm web0 --standby net0 --port tap0 --mode coupled --group u --bus "
		  "b --hold --primary emulated:vmxnet3,port=tap1",
		  "AddPair{\"bus\":\"b\",\"group\":\"u\",\"hold\":true,\"mode\":\"coupled\","
		  "\"name\":\"p\",\"port\":\"tap0\",\"primary\":\"emulated:vmxnet3,port=tap1\","
		  "\"standby\":\"net0\",\"vm\":\"web0\"}" },
		{ "pair add p --vm web0 --standby net0 --port tap0",
		  "AddPair{\"name\":\"p\",\"port\":\"tap0\",\"standby\":\"net0\",\"vm\":"
		  "\"web0\"}" },
		{ "pair add p --vm v --standby s --port t --park-frames 1000 --park-bytes 8M "
		  "--park-time 2.5 --handover low-latency",
		  "AddPair{\"handover\":\"low_latency\",\"name\":\"p\",\"park\":{\"bytes\":8388608,"
		  "\"frames\":1000,\"time_usec\":2500000},\"port\":\"t\",\"standby\":\"s\",\"vm\":"
		  "\"v\"}" },
		{ "pair add p --vm v --standby s --port t --unused hide",
		  "AddPair{\"name\":\"p\",\"port\":\"t\",\"standby\":\"s\",\"unused\":\"hide\","
		  "\"vm\":\"v\"}" },
		{ "pair add p --vm v --standby s --port t --park-bytes 512K --handover lossless",
		  "AddPair{\"handover\":\"lossless\",\"name\":\"p\",\"park\":{\"bytes\":524288},"
		  "\"port\":\"t\",\"standby\":\"s\",\"vm\":\"v\"}" },
		{ "pair assign p --primary vfio:0000:5e:00.2",
		  "AssignPrimary{\"name\":\"p\",\"primary\":\"vfio:0000:5e:00.2\"}" },
		{ "pair assign p --primary none",
		  "AssignPrimary{\"name\":\"p\",\"primary\":null}" },
		{ "pair remove -- -p", "RemovePair{\"name\":\"-p\"}" },
		{ "prepare web0", "Prepare{\"vm\":\"web0\"}" },
		{ "finish web0", "Finish{\"vm\":\"web0\"}" },
		{ "migrate web0 --abort", "AbortMigration{\"vm\":\"web0\"}" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct output output = run(*state, cases[i].arguments);

		assert_string_equal(output.err, "");
		assert_int_equal(output.code, 0);
		assert_string_equal(canned.asked, cases[i].asked);
	}
}

static void test_empty_json(void **state)
{
	struct output output = run(*state, "--json vm detach web0");

	assert_int_equal(output.code, 0);
	assert_string_equal(output.out, "{}\n");
}

static void test_usage(void **state)
{
	static const struct {
		const char *arguments, *err;
	} cases[] = {
		{ "", "a command is missing" },
		{ "statsu", "there is no command statsu; did you mean status?" },
		{ "vm atach web0", "there is no command vm atach; did you mean vm attach?" },
		{ "frobnicate", "there is no command frobnicate\n" },
		{ "vm", "vm needs a command" },
		{ "--frob", "unknown option --frob" },
		{ "status --frob", "unknown option --frob" },
		{ "status -x", "unknown option -x" },
		{ "status a b", "status: b is one argument too many" },
		{ "status --json=yes", "--json takes no value" },
		{ "status -H", "--host needs HOST" },
		{ "-H somewhere status",
		  "somewhere is no host: unix:PATH or ssh://[USER@]HOST[:PORT]" },
		{ "hide", "hide: an argument is missing\nusage: understudy hide NAME\n" },
		{ "vm attach web0", "either --qmp PATH or --libvirt is needed" },
		{ "pair add p --vm v --port t", "--standby is missing" },
		{ "pair add p --vm v --port t --standby s --mode both", "both is no mode" },
		{ "pair add p --vm v --port t --standby s --primary 5e:00.2",
		  "5e:00.2 is no primary" },
		{ "pair add p --vm v --port t --standby s --handover fast", "fast is no handover" },
		{ "pair add p --vm v --port t --standby s --unused plug", "--unused plug: report" },
		{ "pair add p --vm v --port t --standby s --park-frames 1K",
		  "--park-frames 1K: a whole number" },
		{ "pair add p --vm v --port t --standby s --park-frames 0",
		  "--park-frames 0: a whole number" },
		{ "pair add p --vm v --port t --standby s --park-bytes 1G",
		  "--park-bytes 1G: a number, with K or M" },
		{ "pair add p --vm v --port t --standby s --park-bytes 9000000000000000M",
		  "a number, with K or M" },
		{ "pair add p --vm v --port t --standby s --park-time nan",
		  "--park-time nan: seconds" },
		{ "pair assign p", "--primary is missing" },
		{ "pair assign p --primary vfio:0000:5e:00.2x", "is no primary" },
		{ "pair assign p --primary emulated:,port=x", "is no primary" },
		{ "pair assign p --primary emulated:vmxnet3", "is no primary" },
		{ "migrate web0", "--to HOST is missing" },
		{ "migrate web0 --to b", "b is no host" },
		{ "migrate web0 --to unix:/x --set max-bandwidth", "is no setting: write K=V" },
		{ "migrate web0 --to unix:/x --set =1", "is no setting: write K=V" },
		{ "migrate web0 --to unix:/x --deadline soon", "soon is no deadline" },
		{ "migrate web0 --to unix:/x --deadline 0", "0 is no deadline" },
		{ "migrate web0 --to unix:/x --abort", "either --to or --abort" },
		{ "-H ssh://b proxy", "ssh://b is not a daemon of this host" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct output output = run(*state, cases[i].arguments);

		assert_contains(output.err, cases[i].err);
		assert_string_equal(output.out, "");
		assert_int_equal(output.code, 2);
	}
	assert_null(canned.asked);
}

static void test_help(void **state)
{
	static const char *const commands[] = {
		"",	 "vm",	     "vm attach",   "vm detach",   "vm list",
		"pair",	 "pair add", "pair assign", "pair remove", "status",
		"hide",	 "expose",   "prepare",	    "finish",	   "migrate",
		"watch", "metrics",  "doctor",	    "proxy",
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(commands); i++) {
		struct output output;
		char arguments[64], expected[64];

		snprintf(arguments, sizeof(arguments), "%s --help", commands[i]);
		snprintf(expected, sizeof(expected), "usage: understudy %s", commands[i]);
		output = run(*state, arguments);
		assert_int_equal(output.code, 0);
		assert_contains(output.out, expected);
		assert_string_equal(output.err, "");
	}
	assert_contains(run(*state, "--version").out, "understudy ");
	assert_null(canned.asked);
}

static void test_no_daemon(void **state)
{
	static const char *const commands[] = { "status", "watch", "hide p", "proxy",
						"migrate web0 --to unix:/x" };
	struct output output;

	us_server_free(US_STEAL(server));
	for (size_t i = 0; i < US_ARRAY_LENGTH(commands); i++) {
		output = run(*state, commands[i]);
		assert_int_equal(output.code, 3);
		assert_contains(output.err, "understudy: no understudyd at unix:/");
		assert_contains(output.err, "systemctl start understudyd, or name another with -H");
		assert_string_equal(output.out, "");
	}
	output = run(*state, "-H unix:/nowhere status");
	assert_int_equal(output.code, 3);
	assert_contains(output.err, "no understudyd at unix:/nowhere (No such file or directory)");
}

static void test_refused(void **state)
{
	struct output output;

	canned.error = "NoSuchPair";
	output = run(*state, "hide p");
	assert_int_equal(output.code, 1);
	assert_string_equal(output.err, "understudy: no such thing: see elsewhere\n");
	assert_string_equal(output.out, "");

	output = run(*state, "hide p --json");
	assert_int_equal(output.code, 1);
	assert_string_equal(output.err, "understudy: no such thing: see elsewhere\n");
	assert_string_equal(output.out, "{\"error\":\"org.understudy.Control.NoSuchPair\","
					"\"parameters\":{\"message\":\"no such thing: see "
					"elsewhere\"}}\n");
}

#define PAIR(name, guest, ok, primary, path, migration, hold, why)                                 \
	"{\"name\":\"" name "\",\"vm\":\"web0\",\"group\":null,\"mac\":\"52:54:00:00:00:01\","     \
	"\"mode\":\"combined\",\"standby\":\"net0\",\"port\":\"tap0\","                            \
	"\"primary_spec\":\"vfio:0000:5e:00.2\",\"bus\":null,\"guest\":\"" guest                   \
	"\",\"driver_ok\":" ok ",\"primary\":\"" primary "\",\"path\":\"" path                     \
	"\",\"migration\":\"" migration "\",\"hold\":" hold ",\"why\":\"" why                      \
	"\",\"reason_code\":\"hold\",\"detail\":null,\"handover\":\"lossless\",\"unused\":"        \
	"\"report\",\"park\":{\"frames\":"                                                         \
	"65536,"                                                                                   \
	"\"bytes\":33554432,\"time_usec\":20000000}}"

static const char visible[] = PAIR("web0", "capable", "true", "visible", "primary", "none", "false",
				   "the guest carries traffic on the primary");
static const char held_back[] = PAIR("web0-dmz", "capable", "false", "hidden", "standby",
				     "prepared", "true", "someone wants it hidden");

static void test_status(void **state)
{
	struct output output;
	char answers[4096], expected[4096];

	snprintf(answers, sizeof(answers), "[{\"pairs\":[%s,%s]}]", visible, held_back);
	canned.answers = answers;
	output = run(*state, "status");
	assert_string_equal(output.out,
			    "NAME      VM    GUEST               PRIMARY  PATH     MIGRATION  WHY\n"
			    "web0      web0  capable             visible  primary  -          "
			    "the guest carries traffic on the primary\n"
			    "web0-dmz  web0  capable (starting)  hidden   standby  prepared   "
			    "someone wants it hidden\n");
	assert_int_equal(output.code, 0);
	assert_string_equal(canned.asked, "ListPairs{}");

	/* As it came. */
	output = run(*state, "status --json");
	snprintf(expected, sizeof(expected), "{\"pairs\":[%s,%s]}\n", visible, held_back);
	assert_string_equal(output.out, expected);

	canned.answers = "[{\"pairs\":[]}]";
	output = run(*state, "status");
	assert_string_equal(output.out, "NAME  VM  GUEST  PRIMARY  PATH  MIGRATION  WHY\n");
}

static void test_status_of_one(void **state)
{
	struct output output;
	char answers[4096];

	snprintf(answers, sizeof(answers), "[{\"pairs\":[%s]}]", visible);
	canned.answers = answers;
	output = run(*state, "status web0");
	assert_string_equal(canned.asked, "ListPairs{\"names\":[\"web0\"]}");
	assert_string_equal(output.out, "NAME  VM    GUEST    PRIMARY  PATH     MIGRATION  WHY\n"
					"web0  web0  capable  visible  primary  -          "
					"the guest carries traffic on the primary\n"
					"\n"
					"  mode      combined\n"
					"  mac       52:54:00:00:00:01\n"
					"  standby   net0\n"
					"  port      tap0\n"
					"  primary   vfio:0000:5e:00.2\n"
					"  hold      no\n"
					"  handover  lossless\n"
					"  unused    report\n"
					"  park      at most 65536 frames, 32768 KiB, 20 s\n"
					"  next      nothing: the guest uses the primary\n");

	snprintf(answers, sizeof(answers),
		 "[{\"pairs\":[%.*s,\"parked\":{\"held\":12,\"released\":9,"
		 "\"overflowed\":2,\"undelivered\":1},"
		 "\"at_stop\":\"predict\"}]}]",
		 (int)strlen(visible) - 1, visible);
	output = run(*state, "status web0");
	assert_contains(output.out,
			"\n  parked    12 frames, 9 released; lost: 2 beyond the bounds, "
			"1 not taken by the port\n");
	assert_contains(output.out, "\n  at stop   predict: frames are parked before");
}

static void test_next_steps(void **state)
{
	static const struct {
		const char *pair, *next;
	} cases[] = {
		{ PAIR("p", "capable", "true", "hidden", "standby", "none", "true", "held"),
		  "`understudy expose p` lets the guest see the primary" },
		{ PAIR("p", "capable", "true", "hidden", "standby", "prepared", "true", "held"),
		  "migrate the VM, then run `understudy finish web0`" },
		{ PAIR("p", "capable", "true", "hidden", "standby", "active", "false", "m"),
		  "`understudy migrate web0 --abort` ends it" },
		{ PAIR("p", "none", "false", "reserved", "standby", "moved", "false", "m"),
		  "`understudy vm detach web0`" },
		{ PAIR("p", "legacy", "true", "hidden", "standby", "none", "false", "l"),
		  "if this guest is to use the standby" },
		{ PAIR("p", "none", "false", "hidden", "standby", "none", "false", "n"),
		  "boot a guest" },
		{ PAIR("p", "none", "false", "unknown", "standby", "none", "false", "n"),
		  "understudy vm list" },
		{ PAIR("p", "capable", "true", "hiding", "parked", "none", "false", "n"), "wait" },
		{ PAIR("p", "capable", "true", "absent", "standby", "none", "false", "n"),
		  "free the primary" },
		{ PAIR("p", "capable", "false", "hidden", "standby", "none", "false", "n"),
		  "wait" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct output output;
		char answers[2048];
		char *next;

		snprintf(answers, sizeof(answers), "[{\"pairs\":[%s]}]", cases[i].pair);
		canned.answers = answers;
		output = run(*state, "status p");
		assert_int_equal(output.code, 0);
		next = strstr(output.out, "  next  ");
		assert_non_null(next);
		assert_contains(next, cases[i].next);
	}
}

static void test_vm_list(void **state)
{
	static const char vms[] =
		"{\"vms\":[{\"name\":\"web0\",\"qmp\":\"/run/web0.qmp\",\"state\":\"running\","
		"\"qemu\":\"7.2.22\",\"pid\":4711,\"pairs\":[\"web0\",\"web0-dmz\"],"
		"\"problem\":null},{\"name\":\"db\",\"qmp\":\"/run/db.qmp\",\"state\":\"unknown\","
		"\"qemu\":\"\",\"pid\":0,\"pairs\":[],\"problem\":\"the monitor is taken\"}]}";
	struct output output;
	char answers[1024], expected[1024];

	snprintf(answers, sizeof(answers), "[%s]", vms);
	canned.answers = answers;
	output = run(*state, "vm list");
	assert_string_equal(output.out,
			    "NAME  STATE    QEMU    PID   PAIRS          PROBLEM\n"
			    "web0  running  7.2.22  4711  web0 web0-dmz  -\n"
			    "db    unknown  -       -     -              the monitor is taken\n");
	output = run(*state, "vm list --json");
	snprintf(expected, sizeof(expected), "%s\n", vms);
	assert_string_equal(output.out, expected);
}

static void test_hide_and_expose(void **state)
{
	struct output output;
	char answers[1024];

	snprintf(answers, sizeof(answers), "[{\"pair\":%s}]", held_back);
	canned.answers = answers;
	output = run(*state, "hide web0-dmz");
	assert_string_equal(canned.asked, "SetHold{\"hold\":true,\"name\":\"web0-dmz\"}");
	assert_int_equal(output.code, 0);
	assert_contains(output.out, "\nweb0-dmz  web0  capable (starting)  hidden   standby");

	output = run(*state, "expose web0-dmz");
	assert_string_equal(canned.asked, "SetHold{\"hold\":false,\"name\":\"web0-dmz\"}");
	assert_int_equal(output.code, 1);
	assert_string_equal(output.err, "understudy: web0-dmz is not visible yet: someone wants it "
					"hidden: see understudy status web0-dmz\n");

	snprintf(answers, sizeof(answers), "[{\"pair\":%s}]", visible);
	output = run(*state, "expose web0");
	assert_int_equal(output.code, 0);
	output = run(*state, "hide web0 --json");
	assert_int_equal(output.code, 1);
	assert_contains(output.out, "{\"pair\":{\"name\":\"web0\",");
	assert_contains(output.err, "web0 is not hidden yet");
}

#define PROGRESS(stage, undo, left, downtime, line)                                                \
	"{\"progress\":{\"stage\":\"" stage "\",\"undo\":" undo                                    \
	",\"transferred_bytes\":0,\"remaining_bytes\":" left                                       \
	",\"total_bytes\":1073741824,\"bytes_per_sec\":117440512,"                                 \
	"\"dirty_bytes_per_sec\":3145728,\"expected_msec\":4500,\"downtime_msec\":" downtime       \
	",\"line\":\"" line "\"}}"
#define STAGE(stage, undo, line)                                                                   \
	"{\"progress\":{\"stage\":\"" stage "\",\"undo\":" undo                                    \
	",\"transferred_bytes\":0,\"remaining_bytes\":0,\"total_bytes\":0,\"bytes_per_sec\":0,"    \
	"\"dirty_bytes_per_sec\":0,\"expected_msec\":-1,\"downtime_msec\":null,"                   \
	"\"line\":\"" line "\"}}"

static void test_migrate(void **state)
{
	struct output output;

	canned.answers =
		"[" STAGE("check", "false", "web0: check") "," STAGE("hide", "false", "web0: hide") "," PROGRESS(
			"transfer", "false", "536870912", "null",
			"web0: transfer") "," PROGRESS("transfer", "false", "268435456", "null",
						       "web0: transfer") "," PROGRESS("release",
										      "false", "0",
										      "43",
										      "web0: "
										      "release") "]";
	output = run(*state, "migrate web0 --to ssh://b --set max-bandwidth=1G --set "
			     "multifd=on --deadline 60");
	assert_string_equal(canned.asked,
			    "Migrate{\"deadline_sec\":60,\"destination\":\"ssh://b\","
			    "\"settings\":{\"max-bandwidth\":\"1G\",\"multifd\":\"on\"},"
			    "\"vm\":\"web0\"}");
	assert_string_equal(output.err, "");
	assert_int_equal(output.code, 0);
	/* One line per stage; within a stage not more than one in 2 s. */
	assert_string_equal(output.out,
			    "web0: check\n"
			    "web0: hide\n"
			    "transfer  50%  512 of 1024 MiB  112.0 MiB/s  dirty 3.0 MiB/s  "
			    "4.5 s to go\n"
			    "web0: release\n"
			    "web0 runs at ssh://b now (downtime 43 ms)\n");

	output = run(*state, "migrate web0 --to ssh://b --json");
	assert_contains(output.out, "{\"progress\":{\"stage\":\"check\",");
	assert_contains(output.out, "}\n{\"progress\":{\"stage\":\"release\",");
}

static bool is_held(void *userdata)
{
	return canned.held;
}

static bool is_not_held(void *userdata)
{
	return !canned.held;
}

/* Whoever watches may go: that is all that happens. */
static void test_interrupted(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct started started;
	struct output output;

	canned.hold_on = true;
	canned.answers = "[" STAGE("hide", "false", "web0: hide") "]";
	for (size_t i = 0; i < US_ARRAY_LENGTH(signals); i++) {
		started = start(*state, "migrate web0 --to unix:/b");
		place_run(*state, is_held, NULL);
		assert_int_equal(kill(started.pid, signals[i]), 0);
		output = finish(*state, &started);
		assert_int_equal(output.code, 1);
		assert_contains(output.err,
				"the migration of web0 goes on: `understudy watch` "
				"follows it, `understudy migrate web0 --abort` ends it");
		place_run(*state, is_not_held, NULL);
		assert_contains(canned.asked, "Migrate{");
	}
}

static void test_daemon_ends(void **state)
{
	struct started started;
	struct output output;

	canned.hold_on = true;
	canned.answers = "[" STAGE("hide", "false", "web0: hide") "]";
	started = start(*state, "migrate web0 --to unix:/b");
	place_run(*state, is_held, NULL);
	us_server_free(US_STEAL(server));
	output = finish(*state, &started);
	assert_int_equal(output.code, 1);
	assert_contains(output.err, "the daemon closed the connection");
}

static void test_watch(void **state)
{
	struct output output;

	canned.answers =
		"[{\"event\":{\"event\":\"move\",\"time_usec\":1700000000123456,\"pair\":\"web0\","
		"\"line\":\"web0: hidden → exposing (guest reached DRIVER_OK)\"}},"
		"{\"event\":{\"event\":\"dropped\",\"time_usec\":1700000001000000,"
		"\"line\":\"12 events were dropped\"}}]";
	output = run(*state, "watch");
	assert_string_equal(canned.asked, "Monitor{}");
	assert_int_equal(output.code, 0);
	assert_string_equal(output.out,
			    "22:13:20.123  web0: hidden → exposing (guest reached DRIVER_OK)\n"
			    "22:13:21.000  12 events were dropped\n");
	output = run(*state, "watch --json");
	assert_contains(output.out, "{\"event\":\"move\",\"time_usec\":1700000000123456,");
	assert_contains(output.out, "}\n{\"event\":\"dropped\",");
}

static void test_metrics(void **state)
{
	struct output output;

	canned.answers = "[{\"text\":\"a 1\\nb 2\\n\"},{\"text\":\"# EOF\\n\"},{\"text\":\"\"}]";
	output = run(*state, "metrics");
	assert_string_equal(canned.asked, "GetMetrics{}");
	assert_int_equal(output.code, 0);
	assert_string_equal(output.out, "a 1\nb 2\n# EOF\n");
}

/* -H ssh://… ends at `understudy proxy` of the other side; here the two meet without ssh. */
static void test_through_proxy(void **state)
{
	struct place *place = *state;
	US_CLEANUP(us_freep) char *path = strdup(getenv("PATH"));
	struct output output;
	char all[8192], script[128], answers[1024];
	FILE *out;

	snprintf(script, sizeof(script), "%s/ssh", place->directory);
	out = fopen(script, "we");
	assert_non_null(out);
	fprintf(out, "#!/bin/sh\nexec %s -H unix:%s proxy\n", program, place->path);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(script, 0755), 0);
	snprintf(all, sizeof(all), "%s:%s", place->directory, path);
	setenv("PATH", all, true);

	snprintf(answers, sizeof(answers), "[{\"pairs\":[%s]}]", visible);
	canned.answers = answers;
	output = run(place, "-H ssh://root@there status");
	assert_string_equal(output.err, "");
	assert_int_equal(output.code, 0);
	assert_contains(output.out, "\nweb0  web0  capable  visible");

	us_server_free(US_STEAL(server));
	output = run(place, "-H ssh://root@there status");
	assert_int_equal(output.code, 3);
	assert_contains(output.err, "no answer from ssh://root@there: no understudyd runs there: "
				    "start it with systemctl start understudyd");
	setenv("PATH", path, true);
	unlink(script);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serve, unserve)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls),	TEST(test_empty_json),	    TEST(test_usage),
		TEST(test_help),	TEST(test_no_daemon),	    TEST(test_refused),
		TEST(test_status),	TEST(test_status_of_one),   TEST(test_next_steps),
		TEST(test_vm_list),	TEST(test_hide_and_expose), TEST(test_migrate),
		TEST(test_interrupted), TEST(test_daemon_ends),	    TEST(test_watch),
		TEST(test_metrics),	TEST(test_through_proxy),
	};

	if (argc < 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
