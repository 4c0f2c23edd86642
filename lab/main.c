/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy-lab: the table of its commands. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/access.h"
#include "lab/fault/fault.h"
#include "lab/options.h"
#include "lab/vm/guest.h"
#include "lab/world/emulator.h"
#include "lab/world/life.h"
#include "lab/world/process.h"
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

static int command_up(struct us_campaign *campaign, const struct arguments *arguments,
		      struct us_reason *reason)
{
	/* The operator may migrate the guest. */
	int r = us_lab_emulator_choose(campaign->lab, true, reason);

	if (!r)
		r = us_lab_up(campaign->lab, reason);
	if (!r)
		r = us_lab_guest_start(campaign->lab, reason);
	if (!r)
		us_lab_print_status(campaign->lab);
	return r;
}

static int command_down(struct us_campaign *campaign, const struct arguments *arguments,
			struct us_reason *reason)
{
	us_lab_remove(campaign->lab);
	return 0;
}

static int command_status(struct us_campaign *campaign, const struct arguments *arguments,
			  struct us_reason *reason)
{
	us_lab_print_status(campaign->lab);
	return 0;
}

static int command_list(struct us_campaign *campaign, const struct arguments *arguments,
			struct us_reason *reason)
{
	for (const struct us_scenario *scenario = us_scenarios; scenario->name; scenario++)
		printf("%-15s %s\n", scenario->name, scenario->summary);
	return 0;
}

static int command_faults(struct us_campaign *campaign, const struct arguments *arguments,
			  struct us_reason *reason)
{
	char made[160];

	for (const struct us_fault *fault = us_faults; fault->scenario.name; fault++)
		printf("%-28s %s\n", fault->scenario.name, us_fault_description(fault, made));
	return 0;
}

static int command_break(struct us_campaign *campaign, const struct arguments *arguments,
			 struct us_reason *reason)
{
	return us_campaign_break(campaign, reason);
}

static int command_shell(struct us_campaign *campaign, const struct arguments *arguments,
			 struct us_reason *reason)
{
	return us_lab_enter(campaign->lab, arguments->list[0], reason);
}

static int command_run(struct us_campaign *campaign, const struct arguments *arguments,
		       struct us_reason *reason)
{
	return us_campaign_run(campaign, arguments->list, arguments->count, reason);
}

static int command_compare(struct us_campaign *campaign, const struct arguments *arguments,
			   struct us_reason *reason)
{
	return us_campaign_compare(campaign, reason);
}

static int command_demo(struct us_campaign *campaign, const struct arguments *arguments,
			struct us_reason *reason)
{
	return us_campaign_demo(campaign, reason);
}

static const struct command {
	const char *name;
	unsigned least, most; /* arguments */
	bool changes;
	int (*run)(struct us_campaign *campaign, const struct arguments *arguments,
		   struct us_reason *reason);
} commands[] = {
	{ "up", 0, 0, true, command_up },
	{ "down", 0, 0, true, command_down },
	{ "status", 0, 0, false, command_status },
	{ "list", 0, 0, false, command_list },
	{ "run", 1, US_CAMPAIGN_CHOICES, true, command_run },
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
	const struct command *command = NULL;
	struct us_options options;
	struct us_campaign campaign;
	struct arguments arguments;
	struct us_reason reason = { .text = "" };
	struct us_lab lab;
	int r, rest = 0;

	if (us_options_parse(argc, argv, &options, &rest) && rest < argc) {
		arguments = (struct arguments){ argv + rest + 1, argc - rest - 1 };
		command = find(argv[rest], &arguments);
	}
	if (!command) {
		us_options_usage();
		return 2;
	}
	if (getsid(0) == getpid()) /* the session has no other process in its scheduling group */
		us_lab_process_raise_priority();
	r = us_lab_init(&lab, &options.lab);
	campaign = (struct us_campaign){ &lab, options.campaign };
	if (campaign.options.json && !strcmp(campaign.options.json, "-"))
		lab.output = stderr;
	if (!r && command->changes)
		r = us_lab_lock(&lab, &reason);
	if (!r)
		r = command->run(&campaign, &arguments, &reason);
	us_lab_close(&lab);
	return fail(r, &reason);
}
