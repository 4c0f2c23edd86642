/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An exhaustive search within a bound: a run with a reset, a hold and a migration, and every
 * combination of up to N faults in it. A fault is a choice of the outside other than 0, or the
 * death of a daemon before a step. A combination is written as the numbers of its choices and their
 * values, "57=1,103=2", and can be replayed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim.h"

enum {
	FAULTS_MAX = 8,
	FAILURES_MAX = 10,
	AFTER_DEATH_USEC = 700 * 1000,
};

struct fault {
	unsigned at, choice;
};

static struct {
	struct fault faults[FAULTS_MAX];
	unsigned count;	    /* the number of faults */
	unsigned made;	    /* choices in this run */
	unsigned next;	    /* the index of the next fault */
	unsigned *options;  /* the number of values of each choice of the run */
	unsigned allocated; /* the size of @options */
	uint64_t runs, steps;
	int failures;
	clock_t begun;
	double seconds;
} search;

static void note(unsigned options)
{
	if (search.made == search.allocated) {
		search.allocated = search.allocated ? search.allocated * 2 : 1024;
		search.options =
			realloc(search.options, search.allocated * sizeof(*search.options));
		if (!search.options)
			abort();
	}
	search.options[search.made] = options;
}

static unsigned choose(const char *what, unsigned count)
{
	unsigned choice = 0;

	note(count);
	if (search.next < search.count && search.faults[search.next].at == search.made)
		choice = search.faults[search.next++].choice;
	search.made++;
	if (choice)
		sim_trace("fault: %s (%u)", what, choice);
	return choice;
}

static void on_restart(void *object, unsigned host)
{
	sim_daemon_start(host);
}

static void die(int host)
{
	sim_daemon_kill(host);
	sim_at(sim.now_usec + AFTER_DEATH_USEC, on_restart, NULL, host);
}

/* ---- A life ---- */

static void run_for(uint64_t usec)
{
	uint64_t until = sim.now_usec + usec;

	do {
		unsigned death = sim_choose("death", 1 + SIM_HOSTS);

		if (death)
			die(death - 1);
		sim_check();
	} while (!sim.broken && sim_step(until));
}

static void live(void)
{
	static const struct sim_config config = {
		.pairs = 1, .mode = US_MODE_COMBINED, .is_lossless = true, .can_drain = true
	};

	search.made = search.next = 0;
	sim_choose = choose;
	sim_begin(&config);
	sim_guest_drive(0, US_GUEST_CAPABLE, true, true);
	run_for(2 * US_USEC_PER_SEC);
	sim_guest_reset(true);
	run_for(US_USEC_PER_SEC);
	sim_guest_drive(0, US_GUEST_CAPABLE, true, true);
	run_for(US_USEC_PER_SEC);
	sim_call_hold(0, 0, true);
	run_for(US_USEC_PER_SEC / 2);
	sim_call_hold(0, 0, false);
	run_for(US_USEC_PER_SEC);
	sim_call_migrate(0);
	run_for(5 * US_USEC_PER_SEC);
	if (!sim.broken)
		sim_check_settles();
	search.runs++;
	search.steps += sim.steps;
}

static void print_way(void)
{
	printf("broken: %s: %s\n    sim --replay ", sim.broken, sim.broken_text);
	for (unsigned i = 0; i < search.count; i++)
		printf("%s%u=%u", i ? "," : "", search.faults[i].at, search.faults[i].choice);
	printf("\n");
}

static bool is_out_of_time(void)
{
	return (double)(clock() - search.begun) / CLOCKS_PER_SEC > search.seconds;
}

/* Runs the present combination, and those that add up to @more faults after its last one. */
static void explore(unsigned more)
{
	unsigned first = search.count ? search.faults[search.count - 1].at + 1 : 0, made;
	unsigned *options;

	live();
	if (sim.broken) {
		print_way();
		search.failures++;
		more = 0; /* more faults would show the same failure */
	}
	sim_end();
	made = search.made;
	if (!more || made <= first)
		return;
	options = malloc(made * sizeof(*options));
	if (!options)
		abort();
	for (unsigned i = first; i < made; i++)
		options[i] = search.options[i];
	search.count++;
	for (unsigned at = first; at < made; at++) {
		for (unsigned choice = 1; choice < options[at]; choice++) {
			if (search.failures >= FAILURES_MAX || is_out_of_time())
				break;
			search.faults[search.count - 1] = (struct fault){ at, choice };
			explore(more - 1);
		}
	}
	search.count--;
	free(options);
}

int sim_search(unsigned faults, double seconds)
{
	search.seconds = seconds;
	search.begun = clock();
	explore(faults < FAULTS_MAX ? faults : FAULTS_MAX);
	printf("%llu ways to have up to %u faults%s, %llu steps: %d broken\n",
	       (unsigned long long)search.runs, faults, is_out_of_time() ? ", not all of them" : "",
	       (unsigned long long)search.steps, search.failures);
	free(search.options);
	return search.failures;
}

int sim_search_replay(const char *faults)
{
	char *end;
	bool is_broken;

	while (*faults && search.count < FAULTS_MAX) {
		struct fault *fault = &search.faults[search.count++];

		fault->at = strtoul(faults, &end, 10);
		fault->choice = *end == '=' ? strtoul(end + 1, &end, 10) : 1;
		faults = *end == ',' ? end + 1 : "";
	}
	sim.is_traced = true;
	live();
	is_broken = sim.broken;
	if (is_broken)
		print_way();
	sim_end();
	free(search.options);
	return is_broken;
}
