/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of scenarios. */
#include <stddef.h>

#include "lab/scenario/scenario.h"
#include "lab/scenario/scenarios-private.h"

const struct us_scenario us_scenarios[] = {
	{ "expose", "the guest boots and negotiates, and is shown its primary", us_scenario_expose,
	  us_scenario_qemu_expose, false },
	{ "hide", "the primary is hidden and exposed again", us_scenario_hide,
	  us_scenario_qemu_hide, false },
	{ "hold", "hidden is set from outside and taken back", us_scenario_hold, NULL, false },
	{ "reset", "the guest reboots: the primary is gone before the firmware looks",
	  us_scenario_reset, NULL, false },
	{ "legacy", "iPXE negotiates without STANDBY and is never shown the primary",
	  us_scenario_legacy, NULL, false },
	{ "netboot", "iPXE loads Linux over the standby, then the primary is shown",
	  us_scenario_netboot, NULL, false },
	{ "unbind", "the guest's driver is removed and bound again", us_scenario_unbind, NULL,
	  false },
	{ "late-pair", "a pair is added to a running VM, a primary assigned later",
	  us_scenario_late_pair, NULL, false },
	{ "two-nics", "two pairs are hidden in parallel", us_scenario_two_nics, NULL, false },
	{ "migrate", "the guest migrates to another host and is shown a primary there",
	  us_scenario_migrate, us_scenario_qemu_migrate, true },
	{ "migrate-abort", "a migration is aborted: the primary comes back on the source",
	  us_scenario_migrate_abort, NULL, true },
	{ "migrate-fail", "the destination dies: the primary comes back on the source",
	  us_scenario_migrate_fail, us_scenario_qemu_migrate_fail, true },
	{ "dead-guest", "the guest's kernel panics in a migration: the run has to be invalid",
	  us_scenario_dead_guest, NULL, true },
	{ "ping-pong", "the guest migrates back and forth between the hosts (--times)",
	  us_scenario_ping_pong, NULL, true },
	{ "coupled", "someone else migrates the guest, between prepare and finish",
	  us_scenario_coupled, NULL, true },
	{},
};
