/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions in the table of scenarios.c. */
#pragma once

struct us_run;

/* scenarios-basic.c */
void us_scenario_expose(struct us_run *run);
void us_scenario_hide(struct us_run *run);
void us_scenario_hold(struct us_run *run);
void us_scenario_unbind(struct us_run *run);
void us_scenario_late_pair(struct us_run *run);
void us_scenario_two_nics(struct us_run *run);
/* scenarios-boot.c */
void us_scenario_reset(struct us_run *run);
void us_scenario_legacy(struct us_run *run);
void us_scenario_netboot(struct us_run *run);
/* scenarios-migrate.c */
void us_scenario_migrate(struct us_run *run);
void us_scenario_migrate_abort(struct us_run *run);
void us_scenario_migrate_fail(struct us_run *run);
void us_scenario_coupled(struct us_run *run);
void us_scenario_dead_guest(struct us_run *run);
void us_scenario_ping_pong(struct us_run *run);
/* scenarios-qemu.c */
void us_scenario_qemu_expose(struct us_run *run);
void us_scenario_qemu_hide(struct us_run *run);
void us_scenario_qemu_migrate(struct us_run *run);
void us_scenario_qemu_migrate_fail(struct us_run *run);
/* scenarios-teaming.c */
void us_scenario_teaming_expose(struct us_run *run);
void us_scenario_teaming_hide(struct us_run *run);
void us_scenario_teaming_migrate(struct us_run *run);
void us_scenario_teaming_migrate_fail(struct us_run *run);
