/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes facts in: the state of the VM and its guest, and the wishes of the pair's users. */
#include "core/pair-private.h"

int us_facts_set(bool *fact, bool value)
{
	if (*fact == value)
		return US_PAIR_IGNORED;
	*fact = value;
	return 0;
}

void us_facts_vm(struct us_pair *pair, enum us_vm_state vm, struct us_effects *effects)
{
	struct us_pair_facts *facts = &pair->facts;

	facts->vm = vm;
	if (vm != US_VM_UNKNOWN && vm != US_VM_GONE)
		return;
	facts->guest = US_GUEST_NONE;
	facts->driver_ok = false;
	facts->guest_known = false;
	facts->was_reset = false;
	facts->migrating = false;
	facts->stopped = false;
	if (vm == US_VM_GONE)
		facts->prepared = false;
	us_answer_vm_lost(pair, effects);
}

void us_facts_guest(struct us_pair *pair, enum us_guest guest, bool driver_ok)
{
	pair->facts.guest = guest;
	pair->facts.driver_ok = driver_ok;
	pair->facts.guest_known = true;
	if (guest != US_GUEST_NONE)
		pair->facts.was_reset = false;
	if (!us_pair_is_capable(pair))
		us_answer_session_over(pair);
}

void us_facts_reset(struct us_pair *pair, uint64_t age_usec, uint64_t now,
		    struct us_effects *effects)
{
	us_facts_guest(pair, US_GUEST_NONE, false);
	pair->facts.was_reset = true;
	us_answer_reset(pair, age_usec, now, effects);
}

int us_facts_assign(struct us_pair *pair)
{
	/* The VM may have the primary already. */
	if (pair->primary.state == US_PRIMARY_ABSENT && pair->facts.vm != US_VM_GONE)
		us_primary_rest(pair, US_PRIMARY_UNKNOWN);
	return us_facts_set(&pair->facts.assigned, true);
}

/* A repeated stop is no new transition: frames are not parked for longer. */
int us_facts_stopped(struct us_pair *pair, bool on)
{
	struct us_pair_facts *facts = &pair->facts;
	bool stopped = on && (facts->prepared || facts->vm == US_VM_INCOMING);

	if (stopped && !facts->stopped)
		us_path_begin(pair);
	return us_facts_set(&facts->stopped, stopped);
}

/* A stop that is still on belongs to the guest's arrival here. The next migration ends it. */
int us_facts_prepare(struct us_pair *pair)
{
	if (!pair->facts.prepared)
		pair->facts.stopped = false;
	return us_facts_set(&pair->facts.prepared, true);
}

int us_facts_finish(struct us_pair *pair)
{
	pair->facts.stopped = false;
	return us_facts_set(&pair->facts.prepared, false);
}
