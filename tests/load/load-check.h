/* SPDX-License-Identifier: BSD-3-Clause */
/* Compares what the VMs did with what the daemons report. Each difference is a load_error(). */
#pragma once

#include "load/load-vm.h"

/* An event was sent to the daemon, which has to report it after those before. @name is static. */
void load_check_expect_event(struct load_instance *instance, const char *name);
/* Subscribes to the events of the daemon on @side. */
void load_check_subscribe(struct load *load, unsigned side);
/* The number of pairs whose status differs from their VM's state; @prints the differences. */
unsigned load_check_pairs(struct load *load, bool prints);
/* At the end: every event was reported, and the counts are the same. */
void load_check_counts(struct load *load);
