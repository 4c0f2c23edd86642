/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The causes of a primary's state: a stable code for programs and an English text for people. A
 * code never changes its meaning and is never used again for another one; a text may change.
 */
#include "understudy/pair.h"

struct row {
	const char *code, *text;
};

static const struct row causes[] = {
	[US_CAUSE_READY] = { "ready", "guest carries traffic on the primary" },
	[US_CAUSE_NOT_ASSIGNED] = { "not-assigned", "no primary is assigned" },
	[US_CAUSE_RESERVING] = { "reserving", "the host is reserving it" },
	[US_CAUSE_RESERVE_REFUSED] = { "reserve-refused", "the host could not reserve it" },
	[US_CAUSE_MAY_PLUG] = { "may-plug", "guest can handle it, the upper layer may plug it" },
	[US_CAUSE_HOLD] = { "hold", "on hold" },
	[US_CAUSE_REMOVING] = { "removing", "the pair is being removed" },
	[US_CAUSE_VM_UNKNOWN] = { "vm-unknown", "the VM's monitor does not answer" },
	[US_CAUSE_OBSERVING] = { "observing", "asking the VM whether it has the primary" },
	[US_CAUSE_VM_INCOMING] = { "vm-incoming", "waiting for the guest to arrive" },
	[US_CAUSE_VM_MOVED] = { "vm-moved", "the guest runs on another host now" },
	[US_CAUSE_VM_GONE] = { "vm-gone", "the VM has ended" },
	[US_CAUSE_MIGRATION] = { "migration", "hidden for a migration" },
	[US_CAUSE_GUEST_UNKNOWN] = { "guest-unknown", "guest's driver is not known yet" },
	[US_CAUSE_GUEST_NO_DRIVER] = { "guest-no-driver", "guest has no driver for the standby" },
	[US_CAUSE_GUEST_LEGACY] = { "guest-legacy", "guest negotiated without STANDBY" },
	[US_CAUSE_GUEST_STARTING] = { "guest-starting",
				      "guest's driver has not reached DRIVER_OK" },
	[US_CAUSE_GUEST_RESET] = { "guest-reset", "guest was reset" },
	[US_CAUSE_BACKOFF] = { "backoff", "guest changes too often, waiting" },
	[US_CAUSE_DRIVER_OK] = { "driver-ok", "guest reached DRIVER_OK" },
	[US_CAUSE_PLUGGED] = { "plugged", "waiting for the guest's traffic on the primary" },
	[US_CAUSE_PLUG_REFUSED] = { "plug-refused",
				    "the VMM refused to plug it, waiting to try again" },
	[US_CAUSE_NOT_READY] = { "not-ready", "guest did not use the primary in time" },
	[US_CAUSE_STEER_FAILED] = { "steer-failed", "the switch could not be steered to it" },
	[US_CAUSE_UNPLUG_PENDING] = { "unplug-pending",
				      "waiting for the guest to release it, to show it again" },
	[US_CAUSE_UNPLUG_OVERDUE] = { "unplug-overdue", "guest has not acknowledged the unplug" },
};
_Static_assert(sizeof(causes) / sizeof(causes[0]) == US_CAUSE_N, "a row for every cause");

const char *us_cause_code(enum us_cause cause)
{
	return causes[cause].code;
}

const char *us_cause_text(enum us_cause cause)
{
	return causes[cause].text;
}
