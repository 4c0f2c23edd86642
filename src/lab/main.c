/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy-lab: a laboratory in network namespaces. Commands and options. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>
#include <unistd.h>

#include "lab/lab.h"
#include "lab/run.h"
#include "util/cleanup.h"

static const char usage[] =
	"Usage: understudy-lab COMMAND [OPTIONS]\n"
	"\n"
	"A laboratory for Understudy: two hosts, a switch and a client in network namespaces,\n"
	"real QEMU, a real Linux guest, and scenarios that show what becomes of its network.\n"
	"\n"
	"  up                 raise the lab and leave it, with a guest on host-a\n"
	"  down               take it away, whatever is left of it\n"
	"  status             what of it is there\n"
	"  list               the scenarios\n"
	"  run SCENARIO       run a scenario, in a lab of its own when none is up\n"
	"  shell PLACE        a shell in host-a, host-b, client or guest\n"
	"\n"
	"  --primary MODEL    the primary's model, any PCI NIC of QEMU (vmxnet3)\n"
	"  --qemu PATH        (qemu-system-x86_64)\n"
	"  --accel tcg|kvm    (tcg)\n"
	"  --machine q35|pc   (q35)\n"
	"  --repeat N         run the scenario N times\n"
	"  --json FILE        write the report there, - for standard output\n"
	"  --name NAME        of the lab, so that two can be up (uslab)\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done or passed, 1 failed, 2 usage.\n";

static int fail(int r, const struct us_reason *reason)
{
	if (r)
		fprintf(stderr, "understudy-lab: %s\n", r > 0 ? reason->text : us_strerror(r));
	return r ? 1 : 0;
}

static void lock_path(const struct us_lab *lab, char path[160])
{
	snprintf(path, 160, "%s.lock", lab->dir);
}

/* Held while the lab is changed or used, by this process only: it ends with it. */
static int lock(const struct us_lab *lab, struct us_reason *reason)
{
	char path[160];
	int fd, r;

	if (geteuid())
		return us_refuse(reason,
				 "the lab makes network namespaces and taps: run it as root");
	r = us_lab_directories(lab);
	if (r)
		return r;
	lock_path(lab, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return us_refuse(reason,
				 "lab %s is in use by another understudy-lab: wait for it, "
				 "or choose another --name",
				 lab->options.name);
	return 0;
}

/* Takes away the last of a lab, the lock that we hold on it. */
static void remove_all(struct us_lab *lab)
{
	char path[160];

	us_lab_down(lab);
	lock_path(lab, path);
	unlink(path);
}

static int command_up(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	int r = us_lab_up(lab, reason);

	if (!r)
		r = us_lab_guest_up(lab, reason);
	if (!r)
		us_lab_status(lab);
	return r;
}

static int command_down(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	remove_all(lab);
	return 0;
}

static int command_status(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	us_lab_status(lab);
	return 0;
}

static int command_list(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	for (const struct us_scenario *scenario = us_scenarios; scenario->name; scenario++)
		printf("%-15s %s\n", scenario->name, scenario->summary);
	return 0;
}

static int command_shell(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	return us_lab_shell(lab, argument, reason);
}

static int write_reports(const struct us_lab *lab, json_t *reports)
{
	const char *path = lab->options.json;
	const json_t *what = lab->options.repeat == 1 ? json_array_get(reports, 0) : reports;

	if (!path || !what)
		return 0;
	if (!strcmp(path, "-"))
		return json_dumpf(what, stdout, JSON_INDENT(2)) ? -EIO : 0;
	return json_dump_file(what, path, JSON_INDENT(2)) ? -EIO : 0;
}

static int run_all(struct us_lab *lab, const struct us_scenario *scenario, struct us_reason *reason)
{
	json_t *reports = json_array(), *report;
	unsigned passed = 0;
	int r = 0;

	for (unsigned i = 0; i < lab->options.repeat && !lab->interrupted; i++) {
		report = NULL;
		r = us_run_scenario(lab, scenario, &report);
		passed += r == 0;
		json_array_append_new(reports, report);
	}
	r = write_reports(lab, reports);
	json_decref(reports);
	if (r || passed == lab->options.repeat)
		return r;
	return us_refuse(reason, "%s: %u of %u runs passed; logs are in %s", scenario->name, passed,
			 lab->options.repeat, lab->dir);
}

/* A lab that the operator raised is used and left as it was, with a guest of its own again. */
static int command_run(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	const struct us_scenario *scenario = us_scenario_find(argument);
	struct us_reason ignored;
	int r;

	if (!scenario)
		return us_refuse(reason, "no scenario %s: see understudy-lab list", argument);
	r = us_models_check(lab->options.qemu, lab->options.primary, reason);
	if (r)
		return r;
	lab->transient = !us_lab_is_up(lab);
	if (lab->transient) {
		r = us_lab_up(lab, reason);
	} else {
		us_lab_guest_down(lab);
		r = us_image_prepare(lab, reason);
	}
	if (!r)
		r = run_all(lab, scenario, reason);
	if (!lab->transient)
		us_lab_guest_up(lab, &ignored);
	else if (r == 0)
		remove_all(lab);
	else
		us_lab_end(lab);
	return r;
}

static const struct command {
	const char *name;
	bool has_argument, changes;
	int (*run)(struct us_lab *lab, const char *argument, struct us_reason *reason);
} commands[] = {
	{ "up", false, true, command_up },	    { "down", false, true, command_down },
	{ "status", false, false, command_status }, { "list", false, false, command_list },
	{ "run", true, true, command_run },	    { "shell", true, false, command_shell },
};

static const struct command *find(int count, char **arguments)
{
	for (size_t i = 0; count > 0 && i < US_ARRAY_LENGTH(commands); i++)
		if (!strcmp(commands[i].name, arguments[0]))
			return count == 1 + commands[i].has_argument ? &commands[i] : NULL;
	return NULL;
}

static bool is_one_of(const char *value, const char *one, const char *other)
{
	return !strcmp(value, one) || !strcmp(value, other);
}

static bool parse(int argc, char **argv, struct us_lab_options *options)
{
	static const struct option known[] = {
		{ "primary", required_argument, NULL, 'p' },
		{ "qemu", required_argument, NULL, 'q' },
		{ "accel", required_argument, NULL, 'a' },
		{ "machine", required_argument, NULL, 'm' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'p':
			options->primary = optarg;
			break;
		case 'q':
			options->qemu = optarg;
			break;
		case 'a':
			options->accel = optarg;
			break;
		case 'm':
			options->machine = optarg;
			break;
		case 'r':
			options->repeat = atoi(optarg);
			break;
		case 'j':
			options->json = optarg;
			break;
		case 'n':
			options->name = optarg;
			break;
		case 'h':
			printf("%s", usage);
			exit(0);
		case 'v':
			printf("understudy-lab " US_VERSION "\n");
			exit(0);
		default:
			return false;
		}
	}
	return options->repeat > 0 && is_one_of(options->accel, "tcg", "kvm") &&
	       is_one_of(options->machine, "q35", "pc") && *options->name &&
	       strlen(options->name) <= 32 && !strpbrk(options->name, "/ ") &&
	       *options->name != '.';
}

int main(int argc, char **argv)
{
	struct us_lab_options options = { .name = "uslab",
					  .qemu = "qemu-system-x86_64",
					  .accel = "tcg",
					  .machine = "q35",
					  .primary = "vmxnet3",
					  .repeat = 1 };
	const struct command *command;
	struct us_reason reason = { "" };
	struct us_lab lab;
	int r;

	command = parse(argc, argv, &options) ? find(argc - optind, argv + optind) : NULL;
	if (!command) {
		fprintf(stderr, "%s", usage);
		return 2;
	}
	r = us_lab_init(&lab, &options);
	if (!r && command->changes)
		r = lock(&lab, &reason);
	if (!r)
		r = command->run(&lab, argv[optind + 1], &reason);
	us_lab_deinit(&lab);
	return fail(r, &reason);
}
