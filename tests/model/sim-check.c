/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks the rules of docs/architecture.md against the true state after every step. If a daemon can
 * learn a fact only later, a rule allows that time; after a refusal it allows more.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/migration/migration-private.h"
#include "daemon/migration/migration.h"
#include "sim.h"

enum {
	LATE_USEC = 6 * 1000 * 1000,	/* late events, and observations that are far apart */
	PARKED_USEC = 82 * 1000 * 1000, /* parked and released twice, with the longest delays */
	SETTLE_USEC = 1800 * 1000 * 1000,
	BOOT_USEC = 5 * 1000 * 1000,
	REST_USEC = 10 * 1000 * 1000,
	RESTS = 3,
};

/* Since when a state lasts that must not last; US_NEVER: it does not exist. */
static struct {
	uint64_t deaf[SIM_HOSTS][SIM_PAIRS_MAX], parked[SIM_HOSTS][SIM_PAIRS_MAX];
} seen;

void sim_break(const char *rule, const char *format, ...)
{
	va_list arguments;

	if (sim.broken)
		return;
	sim.broken = rule;
	va_start(arguments, format);
	vsnprintf(sim.broken_text, sizeof(sim.broken_text), format, arguments);
	va_end(arguments);
	sim_trace("broken: %s: %s", rule, sim.broken_text);
}

/* ---- At every step ---- */

/* Whether the state has lasted longer than @limit_usec. @since is kept from step to step. */
static bool lasts(uint64_t *since, bool is_so, uint64_t limit_usec)
{
	if (!is_so) {
		*since = US_NEVER;
		return false;
	}
	if (*since == US_NEVER || *since > sim.now_usec)
		*since = sim.now_usec;
	return sim.now_usec - *since > limit_usec;
}

static bool is_listening(int host, unsigned pair)
{
	return sim.guest.host == host && sim.guest.drivers[pair].is_joined;
}

/* A guest that sees its primary and does not use it has its own rule. */
static bool is_deaf(int host, unsigned pair)
{
	return sim.hosts[host].net.path[pair] == US_PATH_PRIMARY && !is_listening(host, pair) &&
	       !(sim.guest.host == host && sim_guest_is_capable(pair) && !sim.guest.joins);
}

/* A daemon that runs, has adopted its VM, and was not refused by the switch. */
static bool is_able(int host, const struct us_host_pair *pair)
{
	const struct sim_qemu *qemu = &sim.hosts[host].qemu;

	return pair && us_vmm_is_adopted(us_host_pair_vm(pair)->vmm) &&
	       sim.now_usec >= qemu->stuck_until &&
	       us_pair_primary(us_host_pair_engine(pair)) != US_PRIMARY_UNKNOWN &&
	       !us_pair_has_steer_failed(us_host_pair_engine(pair));
}

static void check_path(int host, unsigned index, const struct us_host_pair *pair)
{
	enum us_path path = sim.hosts[host].net.path[index];
	bool is_able_now = is_able(host, pair);

	if (seen.parked[host][index] < sim.hosts[host].net.since[index])
		seen.parked[host][index] = US_NEVER;

	if (lasts(&seen.deaf[host][index],
		  is_able_now && is_deaf(host, index) &&
			  !us_pair_is_steering(us_host_pair_engine(pair)),
		  LATE_USEC))
		sim_break("4: the path is the primary's only where the guest listens there",
			  "web%u on %s", index, sim.hosts[host].name);
	if (lasts(&seen.parked[host][index], is_able_now && path == US_PATH_PARKED, PARKED_USEC))
		sim_break("4: never parked longer than the deadline", "web%u on %s", index,
			  sim.hosts[host].name);
}

static void check_reservation(int host, unsigned index, const struct us_host_pair *pair)
{
	bool *was = &sim.hosts[host].was_reserved[index];
	bool can_fail = pair && us_host_pair_engine(pair)->facts.assigned &&
			us_host_pair_engine(pair)->facts.vm == US_VM_RUNNING &&
			us_pair_phase(us_host_pair_engine(pair)) != US_PHASE_NONE;

	if (can_fail && *was && !us_pair_is_reserved(us_host_pair_engine(pair)))
		sim_break("6: the reservation lasts while a migration can fail", "web%u on %s",
			  index, sim.hosts[host].name);
	*was = pair && us_pair_is_reserved(us_host_pair_engine(pair));
}

void sim_check(void)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		for (unsigned index = 0; index < sim.config.pairs; index++) {
			const struct us_host_pair *pair = sim_pair(host, index);

			check_path(host, index, pair);
			check_reservation(host, index, pair);
		}
	}
}

void sim_check_line(int host, const char *line)
{
	const char *stage = strstr(line, ": migration to ");
	size_t length = strlen(line);

	if (!stage || length < 6 || strcmp(line + length - 6, ": hide") != 0)
		return;
	for (unsigned index = 0; index < sim.config.pairs; index++) {
		const struct us_host_pair *pair = sim_pair(1 - host, index);

		/* A dead daemon has withdrawn its permission; the message is on its way. */
		if (pair && us_migration_of_vm(us_host_vm_of(pair))->destination &&
		    us_host_pair_engine(pair)->facts.assigned &&
		    !us_pair_is_reserved(us_host_pair_engine(pair)))
			sim_break("7: a destination is reserved before the source hides",
				  "web%u on %s is not", index, sim.hosts[1 - host].name);
	}
}

/* ---- At the end ---- */

static unsigned choose_well(const char *what, unsigned count)
{
	return 0;
}

static bool run_until(uint64_t until_usec, bool (*is_so)(void))
{
	while (!is_so || !is_so()) {
		if (!sim_step(until_usec))
			return !is_so;
		sim_check();
	}
	return true;
}

static bool is_migration_over(void)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		struct us_host_vm *vm = sim_host_vm(host);

		if (!vm || us_migration_is_source(vm) ||
		    sim.hosts[host].qemu.transfer == US_TRANSFER_ACTIVE)
			return false;
	}
	return sim.calls_open == 0;
}

static const char *unlike_guest(const struct us_host_pair *pair, int host, unsigned index)
{
	const struct us_pair *engine = us_host_pair_engine(pair);

	if (engine->config.mode == US_MODE_SEPARATE)
		return engine->facts.guest == US_GUEST_CAPABLE ? NULL : "the guest is not seen";
	if (us_pair_primary(engine) != US_PRIMARY_VISIBLE)
		return "the primary is not visible";
	if (!sim.hosts[host].qemu.has[index])
		return "the VM does not have the primary";
	if (us_pair_path(engine) != US_PATH_PRIMARY ||
	    sim.hosts[host].net.path[index] != US_PATH_PRIMARY)
		return "the path is not the primary's";
	return is_listening(host, index) ? NULL : "the guest does not listen there";
}

static const char *unlike_other(const struct us_host_pair *pair, int host, unsigned index)
{
	const struct sim_qemu *qemu = &sim.hosts[host].qemu;
	const struct us_pair *engine = us_host_pair_engine(pair);

	if (qemu->has[index])
		return "the primary is in the VM";
	if (engine->config.mode == US_MODE_SEPARATE)
		return NULL;
	if (sim.hosts[host].net.path[index] != US_PATH_NONE)
		return "the switch is steered where no guest is";
	if (qemu->is_alive && qemu->state == US_VM_MOVED && us_pair_is_reserved(engine))
		return "the primary is reserved for a guest that has left";
	if (qemu->is_alive && qemu->state == US_VM_INCOMING && !us_pair_is_reserved(engine))
		return "the primary is not reserved for the guest to come";
	return NULL;
}

/* Returns the first fault of the final state, or NULL. */
static const char *unlike(int *ret_host, unsigned *ret_pair)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		for (unsigned index = 0; index < sim.config.pairs; index++) {
			const struct us_host_pair *pair = sim_pair(host, index);
			const char *why = "it was forgotten";

			*ret_host = host;
			*ret_pair = index;
			if (pair)
				why = sim.guest.host == host ? unlike_guest(pair, host, index)
							     : unlike_other(pair, host, index);
			if (why)
				return why;
		}
	}
	return NULL;
}

static bool is_well(void)
{
	unsigned pair;
	int host;

	return !unlike(&host, &pair) && sim.calls_open == 0;
}

static void make_good(void)
{
	sim_choose = choose_well;
	sim.crash_in = 0;
	sim.crash_at = NULL;
	sim.transfer_usec = US_USEC_PER_SEC;
	for (int host = 0; host < SIM_HOSTS; host++) {
		sim_daemon_start(host);
	}
	if (sim.guest.host < 0) {
		sim_qemu_end(0);
		sim_qemu_start(0, US_VM_RUNNING);
	}
	sim.guest.acknowledges = sim.guest.joins = true;
	sim.guest.boot_usec = BOOT_USEC;
	for (unsigned pair = 0; pair < sim.config.pairs; pair++) {
		sim_guest_drive(pair, US_GUEST_CAPABLE, true, true);
		sim_guest_look(pair);
	}
}

/* A pair that got its primary back before it reported that its guest has left cannot release it. */
static void end_the_moved(void)
{
	for (int host = 0; host < SIM_HOSTS; host++)
		if (sim.hosts[host].qemu.state == US_VM_MOVED)
			for (unsigned pair = 0; pair < sim.config.pairs; pair++)
				if (sim.hosts[host].qemu.has[pair])
					sim_qemu_end(host);
}

/* All holds end. */
static void withdraw_wishes(void)
{
	for (int host = 0; host < SIM_HOSTS; host++) {
		if (sim.config.mode == US_MODE_SEPARATE)
			break;
		for (unsigned index = 0; index < sim.config.pairs; index++)
			if (sim_pair(host, index) &&
			    us_host_pair_engine(sim_pair(host, index))->facts.hold)
				sim_call_hold(host, index, false);
		if (sim_host_vm(host) && us_host_vm_facts(sim_host_vm(host))->is_prepared)
			sim_call_vm(host, "Finish");
	}
}

void sim_check_settles(void)
{
	bool is_reached = false;
	const char *why;
	unsigned pair;
	int host;

	make_good();
	if (!run_until(sim.now_usec + SETTLE_USEC, is_migration_over)) {
		sim_break("9: a migration ends, and who asked is answered", "%u calls are open",
			  sim.calls_open);
		return;
	}
	make_good(); /* the guest may have been stopped during one */
	withdraw_wishes();
	/* The guest may acknowledge an earlier unplug meanwhile, and the pair continues from there.
	 */
	for (int i = 0; i < RESTS; i++) {
		end_the_moved();
		is_reached = run_until(sim.now_usec + SETTLE_USEC, is_well);
		run_until(sim.now_usec + REST_USEC, NULL);
	}
	if (!is_reached || !is_well()) {
		why = unlike(&host, &pair);
		sim_break("9: everything comes to rest at its goal",
			  "web%u on %s: %s, %u calls open", pair, sim.hosts[host].name,
			  why ? why : "all is well", sim.calls_open);
	}
}
