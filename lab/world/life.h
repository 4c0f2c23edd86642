/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a laboratory: it is raised, used by one process at a time, and removed. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/* The name of the guest's QEMU in its record: us_lab_host_record(). */
#define US_LAB_RECORD_QEMU "qemu"

/* Opens the lab (us_lab_open()) and finds its programs and data: in the build tree of this
 * program, or else where they are installed. Chooses the options that were left open. */
int us_lab_init(struct us_lab *lab, const struct us_lab_options *options);
/* Locks the lab for changes and use, until this process ends. */
int us_lab_lock(const struct us_lab *lab, struct us_reason *reason);

/* Raises the network and the daemons; removes anything that is left of the lab before. */
int us_lab_up(struct us_lab *lab, struct us_reason *reason);
/* The network and both daemons are up. */
bool us_lab_is_up(const struct us_lab *lab);
/* Ends the processes of one run: all of them, except host machines, which boot for a minute. */
void us_lab_end_run(struct us_lab *lab);
/* Ends all processes and the network; the logs stay. */
void us_lab_end(struct us_lab *lab);
/* Removes the lab, its directory and our lock on it. */
void us_lab_remove(struct us_lab *lab);
