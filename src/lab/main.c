/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy-lab: a laboratory in network namespaces. Its commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab/fault.h"
#include "lab/lab.h"
#include "lab/runs.h"
#include "util/cleanup.h"

static int fail(int r, const struct us_reason *reason)
{
	if (r)
		fprintf(stderr, "understudy-lab: %s\n", r > 0 ? reason->text : us_strerror(r));
	return r ? 1 : 0;
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
	us_lab_lock_path(lab, path);
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
	us_lab_remove(lab);
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

static int command_faults(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	char made[160];

	for (const struct us_fault *fault = us_faults; fault->scenario.name; fault++)
		printf("%-28s %s\n", fault->scenario.name, us_fault_made(fault, made));
	return 0;
}

static int command_break(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	return us_runs_break(lab, reason);
}

static int command_shell(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	return us_lab_shell(lab, argument, reason);
}

static int command_run(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	return us_runs_repeat(lab, argument, reason);
}

static int command_compare(struct us_lab *lab, const char *argument, struct us_reason *reason)
{
	return us_runs_compare(lab, reason);
}

static const struct command {
	const char *name;
	bool has_argument, changes;
	int (*run)(struct us_lab *lab, const char *argument, struct us_reason *reason);
} commands[] = {
	{ "up", false, true, command_up },	     { "down", false, true, command_down },
	{ "status", false, false, command_status },  { "list", false, false, command_list },
	{ "run", true, true, command_run },	     { "shell", true, false, command_shell },
	{ "compare", false, true, command_compare }, { "faults", false, false, command_faults },
	{ "break", false, true, command_break },
};

static const struct command *find(int count, char **arguments)
{
	for (size_t i = 0; count > 0 && i < US_ARRAY_LENGTH(commands); i++)
		if (!strcmp(commands[i].name, arguments[0]))
			return count == 1 + commands[i].has_argument ? &commands[i] : NULL;
	return NULL;
}

int main(int argc, char **argv)
{
	struct us_lab_options options;
	const struct command *command;
	struct us_reason reason = { "" };
	struct us_lab lab;
	int r, rest = 0;

	command = us_options_parse(argc, argv, &options, &rest) ? find(argc - rest, argv + rest)
								: NULL;
	if (!command) {
		us_options_usage();
		return 2;
	}
	r = us_lab_init(&lab, &options);
	if (!r && command->changes)
		r = lock(&lab, &reason);
	if (!r)
		r = command->run(&lab, argv[rest + 1], &reason);
	us_lab_deinit(&lab);
	return fail(r, &reason);
}
