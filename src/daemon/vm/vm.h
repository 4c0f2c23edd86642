/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VMs that are attached: struct us_vms has all of them, struct us_host_vm is one, and owns its
 * pairs. A VM passes on what its monitor reports: to its pairs as events, to the rooms above
 * through struct us_vms_handler.
 */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/pair/pair.h"
#include "net/undelivered/drain.h"
#include "util/list.h"
#include "vmm/vmm.h"

struct us_host_vm;
struct us_vms;

/* What the rooms above keep for a VM. Each has one, which it makes and frees. */
struct us_vm_slots {
	struct us_vm_migration *migration;
	char *saved_text; /* its part of the state file; NULL: it has changed since */
};

/* What has happened since the VM was attached. */
struct us_vm_counts {
	uint32_t resets, disconnects, arrivals;
	uint32_t transfers_completed, transfers_failed, transfers_cancelled; /* of QEMU */
	uint32_t migrations_done, migrations_failed;			     /* by this daemon */
};

/* What the rooms above do when something happens to a VM. */
struct us_vms_handler {
	/* It is being made: sets up its slots. 0 or -errno, which undoes the VM. */
	int (*made)(void *userdata, struct us_host_vm *vm);
	/* It is being freed, and its pairs are still there: frees its slots. */
	void (*freed)(void *userdata, struct us_host_vm *vm);
	void (*adopted)(void *userdata, struct us_host_vm *vm);
	/* Its monitor refused, or was lost. True: the VM is freed. */
	bool (*refused)(void *userdata, struct us_host_vm *vm, const struct us_reason *reason);
	/* Called after @refused, unless the VM is freed, and after its pairs got the event.
	 * @has_ended: its VMM has ended. */
	void (*lost)(void *userdata, struct us_host_vm *vm, bool has_ended,
		     const struct us_reason *reason);
	/* The state changed; @has_arrived: the guest came from another host just now. */
	void (*state_changed)(void *userdata, struct us_host_vm *vm, bool has_arrived);
	void (*transfer_changed)(void *userdata, struct us_host_vm *vm);
	/* The VMM cannot take the connection of the migration's source. */
	void (*incoming_failed)(void *userdata, struct us_host_vm *vm,
				const struct us_reason *reason);
	/* The monitor reported the event @name, such as "STOP", of @age_usec ago. */
	void (*traced)(void *userdata, struct us_host_vm *vm, const char *name, uint64_t age_usec);
	/* The domain that the VM stands for does not come: the VM is to be removed, but not by
	 * this function. */
	void (*not_expected)(void *userdata, struct us_host_vm *vm);
	/* `is_prepared` has changed. */
	void (*changed)(void *userdata, struct us_host_vm *vm);
};

/*
 * Work that waits until the pairs of a VM have got somewhere: it is checked from the loop after
 * every step of a pair.
 */
struct us_deferred {
	struct us_list link;
	struct us_host_vm *vm;
	/* Returns true when the wait is over, and has then removed @deferred from its list. */
	bool (*check)(struct us_deferred *deferred);
	/* The VM is being detached: ends the wait, and removes @deferred from its list. NULL: that
	 * has been done when the VM's slots were freed. */
	void (*vm_gone)(struct us_deferred *deferred);
};

/* ---- All of them ---- */

/* Borrows all; @libvirt may be NULL. Returns 0 or -errno. */
int us_vms_new(struct us_vms **ret_vms, sd_event *loop, struct us_pairs *pairs,
	       struct us_libvirt *libvirt, const struct us_vms_handler *handler, void *userdata);
/* Frees the VMs as well. */
void us_vms_free(struct us_vms *vms);

/* Schedules a check of all deferred work. */
void us_vms_recheck_soon(struct us_vms *vms);
struct us_pairs *us_vms_pairs(const struct us_vms *vms);
/* NULL: there is none of this name. */
struct us_host_vm *us_vms_find(const struct us_vms *vms, const char *name);
/* The first VM for NULL; NULL after the last. */
struct us_host_vm *us_vms_next(const struct us_vms *vms, const struct us_host_vm *vm);
/* Every VM; the body frees none. */
#define us_vms_for_each(vm, vms) for (vm = us_vms_next(vms, NULL); vm; vm = us_vms_next(vms, vm))

/* ---- One ---- */

/* Connects to the monitor; @monitor is an address of us_vmm_new(). 0 or -errno. */
int us_host_vm_new(struct us_host_vm **ret_vm, struct us_vms *vms, const char *name,
		   const char *monitor);
/* Frees its pairs as well: us_host_pair_free(). */
void us_host_vm_free(struct us_host_vm *vm);
/* Makes a pair of @vm: us_host_pair_new(). */
int us_host_vm_add_pair(struct us_host_vm *vm, const struct us_pair_spec *spec,
			const struct us_pair_start *start);
/* Feeds @event to all pairs of @vm. */
void us_host_vm_feed(struct us_host_vm *vm, const struct us_event *event);
/* Nobody attached @vm: it is a domain that came with its declaration, or by a migration. */
void us_host_vm_set_automatic(struct us_host_vm *vm);
bool us_host_vm_is_automatic(const struct us_host_vm *vm);
/*
 * @vm stands for a domain that will arrive: it is incoming, although libvirt does not know it. That
 * ends when libvirt has the domain.
 */
void us_host_vm_expect(struct us_host_vm *vm);
/* The domain does not come: the VM is gone. */
void us_host_vm_stop_expecting(struct us_host_vm *vm);
/* Tries to connect now, rather than after the back-off: the VM has just started. */
void us_host_vm_connect(struct us_host_vm *vm);
/* Whether no pair of @vm prevents a migration. */
bool us_host_vm_may_migrate(const struct us_host_vm *vm);
/* Checks @deferred, whose functions are set, soon and after each step of a pair. */
void us_host_vm_defer(struct us_host_vm *vm, struct us_deferred *deferred);

/* ---- What others see; all of it is borrowed ---- */

/* The VM of a pair. */
struct us_host_vm *us_host_vm_of(const struct us_host_pair *pair);
/* What its pairs see of it. */
const struct us_pair_vm *us_host_vm_facts(const struct us_host_vm *vm);
const char *us_host_vm_name(const struct us_host_vm *vm);
const char *us_host_vm_monitor(const struct us_host_vm *vm);
sd_event *us_host_vm_loop(const struct us_host_vm *vm);
struct us_vmm *us_host_vm_vmm(const struct us_host_vm *vm);
/* The VM's VMM. Valid until the loop's next turn. */
struct us_drain_process us_host_vm_process(const struct us_host_vm *vm);
/* Why the VM is not adopted; "" if it is. */
const char *us_host_vm_problem(const struct us_host_vm *vm);
/* How to make a virtio-net device of @vm offer VIRTIO_NET_F_STANDBY. */
const char *us_host_vm_standby_step(const struct us_host_vm *vm);
void us_host_vm_set_prepared(struct us_host_vm *vm, bool is_prepared);
const struct us_vm_counts *us_host_vm_counts(const struct us_host_vm *vm);
/* A migration that this daemon was asked for has ended. */
void us_host_vm_count_migration(struct us_host_vm *vm, bool is_done);
struct us_vm_slots *us_host_vm_slots(struct us_host_vm *vm);

/* Every pair of @vm; the body frees none. */
#define us_host_vm_for_each_pair(pair, vm)                                                         \
	for (pair = us_pair_vm_next(us_host_vm_facts(vm), NULL); pair;                             \
	     pair = us_pair_vm_next(us_host_vm_facts(vm), pair))
