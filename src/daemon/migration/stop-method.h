/* SPDX-License-Identifier: BSD-3-Clause */
/* How a migration saves the frames that QEMU has not delivered when it stops a pair's guest. */
#pragma once

#include "daemon/migration/migration-private.h"

/* "drain", "predict", or NULL for none. */
const char *us_stop_method_name(enum us_stop_method method);

/* Chooses @pair's method by permission alone, which is cheap. Logs once that draining is refused.
 */
void us_stop_method_choose(struct us_host_pair *pair);

/* Before a migration: chooses again, and begins to look for the queues that are to be drained. */
void us_stop_method_prepare(struct us_host_pair *pair);
/* At its transfer: falls back to prediction if the queues have not been found yet. */
void us_stop_method_settle(struct us_host_pair *pair);

enum us_stop_method us_stop_method_of_pair(const struct us_host_pair *pair);
/* The least reliable method of its pairs. */
enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm);
