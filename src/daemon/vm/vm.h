/* SPDX-License-Identifier: BSD-3-Clause */
/* The VMs that are attached: struct us_host_vm is one, and owns its pairs. */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/pair/pair.h"
#include "net/undelivered/drain.h"
#include "vmm/vmm.h"

struct us_daemon;
struct us_host_vm;
struct us_vmm;

/* What each of the rooms above keeps for a VM. Each has one, which it makes and frees. */
struct us_vm_slots {
	struct us_vm_migration *migration;
	struct us_vm_metrics *metrics;
	struct us_vm_saved *saved;
	struct us_vm_doctor *doctor;
	struct us_vm_rpc *rpc;
};

int us_host_vm_new(struct us_host_vm **ret_vm, struct us_daemon *daemon, const char *name,
		   const char *monitor_path);
void us_host_vm_free(struct us_host_vm *vm); /* and its pairs, as they are */
/* Feeds @event to all its pairs. */
void us_host_vm_feed(struct us_host_vm *vm, const struct us_event *event);
bool us_host_vm_may_migrate(const struct us_host_vm *vm);
/* The VM's QEMU. Valid until the loop's next turn. */
struct us_drain_process us_host_vm_process(const struct us_host_vm *vm);
json_t *us_host_vm_json(const struct us_host_vm *vm);

/* ---- What others see; all of it is borrowed ---- */

struct us_host_vm *us_host_vm_of(const struct us_host_pair *pair);
const char *us_host_vm_name(const struct us_host_vm *vm);
const char *us_host_vm_monitor_path(const struct us_host_vm *vm);
sd_event *us_host_vm_loop(const struct us_host_vm *vm);
struct us_vmm *us_host_vm_vmm(const struct us_host_vm *vm);
enum us_vm_state us_host_vm_state(const struct us_host_vm *vm);
enum us_transfer us_host_vm_transfer(const struct us_host_vm *vm);
/* Why it is not adopted; "" if it is. */
const char *us_host_vm_problem(const struct us_host_vm *vm);
/* By Prepare, until Finish; survives a restart. */
bool us_host_vm_is_prepared(const struct us_host_vm *vm);
void us_host_vm_set_prepared(struct us_host_vm *vm, bool is_prepared);
struct us_vm_slots *us_host_vm_slots(struct us_host_vm *vm);

/* The first pair for NULL; NULL after the last. */
struct us_host_pair *us_host_vm_next_pair(const struct us_host_vm *vm,
					  const struct us_host_pair *pair);
/* Every pair of @vm; the body frees none. */
#define us_host_vm_for_each_pair(pair, vm)                                                         \
	for (pair = us_host_vm_next_pair(vm, NULL); pair; pair = us_host_vm_next_pair(vm, pair))
