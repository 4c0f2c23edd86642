/* SPDX-License-Identifier: BSD-3-Clause */
/* Random runs: each seed is a run in which anything can happen at any time. All must settle. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sim.h"

enum {
	RUN_MIN_SEC = 20,
	RUN_MAX_SEC = 600,
	FAILURES_MAX = 10,
};

static struct {
	uint64_t state;
	unsigned fault_rate; /* failures in 1000 choices */
} chance;

/* splitmix64, by Sebastiano Vigna: every seed is as good as any other. */
static uint64_t draw(void)
{
	uint64_t z = chance.state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned draw_below(unsigned count)
{
	return (draw() >> 32) % count;
}

static unsigned choose(const char *what, unsigned count)
{
	unsigned choice;

	if (draw_below(1000) >= chance.fault_rate)
		return 0;
	choice = 1 + draw_below(count - 1);
	sim_trace("chance: %s%s", what, count > 2 ? choice == 1 ? " (1)" : " (2)" : "");
	return choice;
}

/* From 1 ms to 30 s, uniform in the logarithm. */
static uint64_t draw_usec(void)
{
	return (UINT64_C(1000) << draw_below(15)) + draw_below(1000);
}

/* ---- What happens ---- */

static unsigned any_pair(void)
{
	return draw_below(sim.config.pairs);
}

static int any_host(void)
{
	return draw_below(SIM_HOSTS);
}

static void guest_drives(void)
{
	enum us_guest guest = draw_below(4) < 2 ? US_GUEST_CAPABLE : draw_below(US_GUEST_N);
	bool is_ok = guest == US_GUEST_LEGACY || (guest == US_GUEST_CAPABLE && draw_below(4));

	sim_guest_drive(any_pair(), guest, is_ok, guest != US_GUEST_NONE && draw_below(4));
}

static void guest_boots(void)
{
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		sim_guest_drive(pair, US_GUEST_CAPABLE, true, true);
}

static void guest_resets(void)
{
	sim_guest_reset(true);
}

static void guest_changes(void)
{
	if (draw_below(2))
		sim.guest.acknowledges = !sim.guest.acknowledges;
	else
		sim.guest.joins = !sim.guest.joins;
	sim_trace("the guest %s, %s", sim.guest.acknowledges ? "acknowledges" : "is deaf",
		  sim.guest.joins ? "joins" : "does not join");
	sim_guest_asked();
	for (unsigned pair = 0; pair < sim.config.pairs; pair++)
		sim_guest_look(pair);
}

static void daemon_dies(void)
{
	sim_daemon_kill(any_host());
}

static void daemon_dies_soon(void)
{
	sim.crash_in = 1 + draw_below(6);
}

static void daemons_start(void)
{
	for (int host = 0; host < SIM_HOSTS; host++)
		sim_daemon_start(host);
}

static void monitor_breaks(void)
{
	sim_monitor_cut(any_host());
}

static void qemu_hangs(void)
{
	sim_qemu_stuck(any_host(), draw_usec());
}

static void qemu_ends(void)
{
	sim_qemu_end(any_host());
}

static void link_breaks(void)
{
	sim_wire_cut(any_host());
}

/* The operator prepares the next migration. */
static void qemu_starts(void)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		struct sim_qemu *qemu = &sim.hosts[host].qemu;

		if (sim.guest.host < 0)
			sim_qemu_start(host, US_VM_RUNNING);
		else if (sim.guest.host != host && (!qemu->is_alive || qemu->state == US_VM_MOVED))
			sim_qemu_start(host, US_VM_INCOMING);
	}
}

static void operator_holds(void)
{
	sim_call_hold(any_host(), any_pair(), draw_below(2));
}

static void operator_migrates(void)
{
	const char *why;
	int host = sim.guest.host;

	if (host < 0)
		return;
	sim.transfer_usec = draw_usec();
	if (sim.config.mode == US_MODE_COMBINED) {
		sim_call_migrate(host);
	} else if (sim.prepared == host) {
		sim.hosts[1 - host].qemu.is_listening = true;
		sim_qemu_migrate(host, 1 - host, &why);
	} else if (sim.calls_open == 0) { /* another command can follow before this one ends */
		sim_call_vm(host, "Prepare");
	}
}

static void operator_aborts(void)
{
	bool runs_itself = sim.config.mode == US_MODE_COMBINED;

	if (sim.guest.host >= 0 && (runs_itself || sim.calls_open == 0))
		sim_call_vm(sim.guest.host, runs_itself ? "AbortMigration" : "Finish");
}

static const struct {
	unsigned weight;
	void (*happen)(void);
} happenings[] = {
	{ 6, guest_drives },   { 6, guest_boots },	 { 4, guest_resets },
	{ 3, guest_changes },  { 1, daemon_dies },	 { 1, daemon_dies_soon },
	{ 4, daemons_start },  { 1, monitor_breaks },	 { 1, qemu_hangs },
	{ 1, qemu_ends },      { 1, link_breaks },	 { 4, qemu_starts },
	{ 3, operator_holds }, { 6, operator_migrates }, { 3, operator_aborts },
};

static void happen(void)
{
	unsigned weight = 0;

	for (size_t i = 0; i < US_ARRAY_LENGTH(happenings); i++)
		weight += happenings[i].weight;
	weight = draw_below(weight);
	for (size_t i = 0;; i++) {
		if (weight < happenings[i].weight) {
			happenings[i].happen();
			return;
		}
		weight -= happenings[i].weight;
	}
}

/* ---- A run ---- */

static struct sim_config draw_config(void)
{
	return (struct sim_config){
		.pairs = 1 + draw_below(SIM_PAIRS_MAX),
		.mode = draw_below(4) ? US_MODE_COMBINED : US_MODE_COUPLED,
		.is_lossless = draw_below(4),
		.can_drain = draw_below(2),
		.is_near_early = draw_below(4) == 0,
	};
}

static void run(uint64_t seed)
{
	static const unsigned rates[] = { 0, 2, 10, 50, 200 };
	struct sim_config config;
	uint64_t end;

	chance.state = seed;
	chance.fault_rate = rates[draw_below(US_ARRAY_LENGTH(rates))];
	config = draw_config();
	sim_choose = choose;
	sim_begin(&config);
	guest_boots();
	end = sim.now_usec +
	      (RUN_MIN_SEC + draw_below(RUN_MAX_SEC - RUN_MIN_SEC)) * US_USEC_PER_SEC;
	while (sim.now_usec < end && !sim.broken) {
		uint64_t until = sim.now_usec + draw_usec();

		while (!sim.broken && sim_step(until))
			sim_check();
		happen();
	}
	if (!sim.broken)
		sim_check_settles();
}

int sim_random(uint64_t seed, uint64_t runs, double seconds, bool is_traced)
{
	uint64_t steps = 0, usec = 0, done;
	clock_t begun = clock();
	int failures = 0;

	for (done = 0; done < runs && failures < FAILURES_MAX; done++) {
		if ((double)(clock() - begun) / CLOCKS_PER_SEC > seconds)
			break;
		sim.is_traced = is_traced;
		run(seed + done);
		steps += sim.steps;
		usec += sim.now_usec;
		if (sim.broken) {
			printf("broken: %s: %s\n    sim --seed %" PRIu64 " --trace\n", sim.broken,
			       sim.broken_text, seed + done);
			failures++;
		}
		sim_end();
	}
	printf("%" PRIu64 " runs from seed %" PRIu64 ", %" PRIu64
	       " steps, %.1f days of virtual time, "
	       "%.1f s of the processor's: %d broken\n",
	       done, seed, steps, (double)usec / 86400e6,
	       (double)(clock() - begun) / CLOCKS_PER_SEC, failures);
	return failures;
}
