/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy-lab: a laboratory in network namespaces. Its commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab/fault/fault.h"
#include "lab/world/lab.h"
#include "lab/world/proc.h"
#include "lab/campaign/runs.h"
#include "util/cleanup.h"

struct arguments {
	char **list;
	unsigned count;
};

static int fail(int r, const struct us_reason *reason)
{
	if (r)
		fprintf(stderr, "understudy-lab: %s\n", r > 0 ? reason->text : us_strerror(r));
	return r == US_RUN_INVALID ? 4 : r ? 1 : 0;
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

static int command_up(struct us_lab *lab, const struct arguments *arguments,
		      struct us_reason *reason)
{
	/* Its operator may migrate the guest. */
	int r = us_lab_emulator_choose(lab, true, reason);

	if (!r)
		r = us_lab_up(lab, reason);
	if (!r)
		r = us_lab_guest_up(lab, reason);
	if (!r)
		us_lab_status(lab);
	return r;
}

static int command_down(struct us_lab *lab, const struct arguments *arguments,
			struct us_reason *reason)
{
	us_lab_remove(lab);
	return 0;
}

static int command_status(struct us_lab *lab, const struct arguments *arguments,
			  struct us_reason *reason)
{
	us_lab_status(lab);
	return 0;
}

static int command_list(struct us_lab *lab, const struct arguments *arguments,
			struct us_reason *reason)
{
	for (const struct us_scenario *scenario = us_scenarios; scenario->name; scenario++)
		printf("%-15s %s\n", scenario->name, scenario->summary);
	return 0;
}

static int command_faults(struct us_lab *lab, const struct arguments *arguments,
			  struct us_reason *reason)
{
	char made[160];

	for (const struct us_fault *fault = us_faults; fault->scenario.name; fault++)
		printf("%-28s %s\n", fault->scenario.name, us_fault_description(fault, made));
	return 0;
}

static int command_break(struct us_lab *lab, const struct arguments *arguments,
			 struct us_reason *reason)
{
	return us_campaign_break(lab, reason);
}

static int command_shell(struct us_lab *lab, const struct arguments *arguments,
			 struct us_reason *reason)
{
	return us_lab_shell(lab, arguments->list[0], reason);
}

static int command_run(struct us_lab *lab, const struct arguments *arguments,
		       struct us_reason *reason)
{
	return us_campaign_run(lab, arguments->list, arguments->count, reason);
}

static int command_compare(struct us_lab *lab, const struct arguments *arguments,
			   struct us_reason *reason)
{
	return us_campaign_compare(lab, reason);
}

static int command_demo(struct us_lab *lab, const struct arguments *arguments,
			struct us_reason *reason)
{
	return us_campaign_demo(lab, reason);
}

static const struct command {
	const char *name;
	unsigned least, most; /* arguments */
	bool changes;
	int (*run)(struct us_lab *lab, const struct arguments *arguments, struct us_reason *reason);
} commands[] = {
	{ "up", 0, 0, true, command_up },
	{ "down", 0, 0, true, command_down },
	{ "status", 0, 0, false, command_status },
	{ "list", 0, 0, false, command_list },
	{ "run", 1, US_LAB_CHOICES, true, command_run },
	{ "shell", 1, 1, false, command_shell },
	{ "compare", 0, 0, true, command_compare },
	{ "demo", 0, 0, true, command_demo },
	{ "faults", 0, 0, false, command_faults },
	{ "break", 0, 0, true, command_break },
};

static const struct command *find(const char *name, const struct arguments *arguments)
{
	for (size_t i = 0; name && i < US_ARRAY_LENGTH(commands); i++)
		if (!strcmp(commands[i].name, name))
			return arguments->count >= commands[i].least &&
					       arguments->count <= commands[i].most
				       ? &commands[i]
				       : NULL;
	return NULL;
}

int main(int argc, char **argv)
{
	struct us_lab_options options;
	const struct command *command = NULL;
	struct arguments arguments;
	struct us_reason reason = { .text = "" };
	struct us_lab lab;
	int r, rest = 0;

	if (us_lab_options_parse(argc, argv, &options, &rest) && rest < argc) {
		arguments = (struct arguments){ argv + rest + 1, argc - rest - 1 };
		command = find(argv[rest], &arguments);
	}
	if (!command) {
		us_lab_options_usage();
		return 2;
	}
	if (getsid(0) == getpid()) /* the session is ours alone: so is its group of the scheduler */
		us_lab_process_raise_priority();
	r = us_lab_init(&lab, &options);
	if (!r && command->changes)
		r = lock(&lab, &reason);
	if (!r)
		r = command->run(&lab, &arguments, &reason);
	us_lab_deinit(&lab);
	return fail(r, &reason);
}
