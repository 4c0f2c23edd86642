/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of scenarios. */
#include <stddef.h>

#include "lab/scenario/scenario.h"
#include "lab/scenario/scenarios-private.h"

const struct us_scenario us_scenarios[] = {
	{ "expose", "the guest boots and negotiates; its primary becomes visible",
	  us_scenario_expose, us_scenario_qemu_expose, us_scenario_teaming_expose, false },
	{ "hide", "the primary is hidden and exposed again", us_scenario_hide,
	  us_scenario_qemu_hide, us_scenario_teaming_hide, false },
	{ "hold", "a hold keeps the primary hidden until it ends", us_scenario_hold, NULL, NULL,
	  false },
	{ "reset", "the guest reboots: the primary is gone before the firmware scans the bus",
	  us_scenario_reset, NULL, NULL, false },
	{ "legacy", "iPXE negotiates without STANDBY; the primary stays hidden", us_scenario_legacy,
	  NULL, NULL, false },
	{ "netboot", "iPXE loads Linux over the standby; then the primary becomes visible",
	  us_scenario_netboot, NULL, NULL, false },
	{ "unbind", "the standby's driver is unbound and bound again in the guest",
	  us_scenario_unbind, NULL, NULL, false },
	{ "late-pair", "a pair is added to a running VM, and its primary is assigned later",
	  us_scenario_late_pair, NULL, NULL, false },
	{ "two-nics", "two pairs are hidden in parallel", us_scenario_two_nics, NULL, NULL, false },
	{ "migrate", "the guest migrates to another host and uses a primary there",
	  us_scenario_migrate, us_scenario_qemu_migrate, us_scenario_teaming_migrate, true },
	{ "migrate-abort", "a migration is aborted: the guest uses its primary at the source again",
	  us_scenario_migrate_abort, NULL, NULL, true },
	{ "migrate-fail",
	  "the destination's QEMU ends: the guest uses its primary at the source again",
	  us_scenario_migrate_fail, us_scenario_qemu_migrate_fail, us_scenario_teaming_migrate_fail,
	  true },
	{ "dead-guest", "the guest's kernel panics in a migration: the run must be invalid",
	  us_scenario_dead_guest, NULL, NULL, true },
	{ "ping-pong", "the guest migrates back and forth between the hosts (--times)",
	  us_scenario_ping_pong, NULL, NULL, true },
	{ "coupled", "another tool migrates the guest between prepare and finish",
	  us_scenario_coupled, NULL, NULL, true },
	{},
};
