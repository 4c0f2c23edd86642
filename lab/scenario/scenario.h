/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario: a named list of steps, and the table of those that are no faults. */
#pragma once

#include <stdbool.h>

struct us_run;

struct us_scenario {
	const char *name, *summary;
	void (*run)(struct us_run *run);
	void (*run_qemu)(struct us_run *run);	 /* with QEMU's own failover; NULL: impossible */
	void (*run_teaming)(struct us_run *run); /* the same with libvirt's */
	bool migrates; /* the guest migrates, or a migration is attempted */
};

/* Ends with a nameless one. */
extern const struct us_scenario us_scenarios[];
