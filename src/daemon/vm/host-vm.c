/* SPDX-License-Identifier: BSD-3-Clause */
/* VMs: construction and destruction, and what their monitors report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vm/vm-private.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	AGAIN_USEC = 2 * 1000 * 1000, /* until a monitor that refused is tried again */
};

/* Calls a function of the handler. */
#define TELL(vm, function, ...) (vm)->vms->handler->function((vm)->vms->userdata, vm, ##__VA_ARGS__)

void us_host_vm_feed(struct us_host_vm *vm, const struct us_event *event)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		us_host_pair_feed(pair, *event);
}

bool us_host_vm_may_migrate(const struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (!us_pair_may_migrate(us_host_pair_engine(pair)))
			return false;
	return true;
}

/* ---- What the monitor reports ---- */

static void set_state(struct us_host_vm *vm, enum us_vm_state state, bool has_arrived)
{
	vm->base.state = state;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_VM, .vm = state });
	vm->counts.arrivals += has_arrived;
	TELL(vm, state_changed, has_arrived);
}

static void set_transfer(struct us_host_vm *vm, enum us_transfer transfer)
{
	vm->base.transfer = transfer;
	vm->counts.transfers_completed += transfer == US_TRANSFER_COMPLETED;
	vm->counts.transfers_failed += transfer == US_TRANSFER_FAILED;
	vm->counts.transfers_cancelled += transfer == US_TRANSFER_CANCELLED;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_MIGRATING,
						.on = transfer == US_TRANSFER_ACTIVE });
	TELL(vm, transfer_changed);
}

static void on_adopted(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair;
	bool has_arrived;

	us_log(LOG_INFO, "vm %s: adopted (QEMU %s, %s)", vm->base.name,
	       us_vmm_version(vm->base.vmm), us_vm_state_name(event->state));
	us_optional_set(&vm->problem, "");
	has_arrived = vm->base.is_expected && event->state == US_VM_RUNNING;
	vm->base.is_expected = vm->base.has_left = vm->is_abandoned = false;
	vm->base.state = event->state;
	vm->base.transfer = event->transfer;
	us_host_vm_for_each_pair (pair, vm)
		us_host_pair_vm_adopted(pair);
	TELL(vm, adopted);
	if (has_arrived)
		set_state(vm, US_VM_RUNNING, true);
}

/* Adoption was refused, or the monitor went away. Frees @vm if it was only being attached. */
static void on_lost(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	bool was_refused = event->type == US_VMM_REFUSED, has_ended = event->exited;
	const char *reason = event->reason->text;
	bool is_news = strcmp(reason, us_optional_text(vm->problem)) != 0;

	if (vm->base.is_expected || vm->is_abandoned) {
		us_timer_set(&vm->reconnect_timer, us_now_usec() + AGAIN_USEC);
		return;
	}
	vm->counts.disconnects += !vm->problem;
	us_optional_set(&vm->problem, reason);
	if (TELL(vm, refused, event->reason)) {
		us_host_vm_free(vm);
		return;
	}
	if (is_news)
		us_log(LOG_WARNING, "vm %s: %s", vm->base.name, reason);
	if (was_refused) /* us_vmm does not try again by itself */
		us_timer_set(&vm->reconnect_timer, us_now_usec() + AGAIN_USEC);
	vm->base.transfer = US_TRANSFER_NONE;
	/* The engines forget it, too: the next VMM at this monitor is another one. */
	if (has_ended && vm->base.is_prepared) {
		vm->base.is_prepared = false;
		TELL(vm, changed);
	}
	vm->base.has_left |= vm->base.state == US_VM_MOVED;
	set_state(vm, has_ended ? US_VM_GONE : US_VM_UNKNOWN, false);
	TELL(vm, lost, has_ended, event->reason);
}

static void on_reset(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	vm->counts.resets++;
	us_host_vm_feed(vm,
			&(struct us_event){ .type = US_EVENT_RESET, .age_usec = event->age_usec });
}

static void on_guest(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (strcmp(us_host_pair_spec(pair)->standby, event->device) == 0)
			us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_GUEST,
								   .guest = event->guest,
								   .on = event->driver_ok });
}

static void on_deleted(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (strcmp(us_host_pair_device(pair), event->device) == 0)
			us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_UNPLUGGED });
}

static void on_event(void *userdata, const struct us_vmm_event *event)
{
	struct us_host_vm *vm = userdata;

	switch (event->type) {
	case US_VMM_ADOPTED:
		on_adopted(vm, event);
		break;
	case US_VMM_REFUSED:
	case US_VMM_LOST:
		on_lost(vm, event);
		break;
	case US_VMM_STATE:
		set_state(vm, event->state,
			  vm->base.state == US_VM_INCOMING && event->state == US_VM_RUNNING);
		break;
	case US_VMM_RESET:
		on_reset(vm, event);
		break;
	case US_VMM_GUEST:
		on_guest(vm, event);
		break;
	case US_VMM_DELETED:
		on_deleted(vm, event);
		break;
	case US_VMM_INCOMING_FAILED:
		us_log(LOG_WARNING, "vm %s: %s", vm->base.name, event->reason->text);
		TELL(vm, incoming_failed, event->reason);
		break;
	case US_VMM_TRANSFER:
		set_transfer(vm, event->transfer);
		break;
	case US_VMM_TRACE:
		TELL(vm, traced, event->name, event->age_usec);
		break;
	}
}

/* ---- Life ---- */

static void on_reconnect(void *userdata)
{
	us_vmm_connect(((struct us_host_vm *)userdata)->base.vmm);
}

static int init_parts(struct us_host_vm *vm, const char *monitor)
{
	int r;

	vm->monitor = strdup(monitor);
	if (!vm->monitor)
		return -ENOMEM;
	r = us_vmm_new(&vm->base.vmm, vm->vms->loop, vm->vms->libvirt, monitor, on_event, vm);
	if (r >= 0)
		r = us_timer_init(&vm->reconnect_timer, vm->vms->loop, on_reconnect, vm);
	return r < 0 ? r : TELL(vm, made);
}

static void deinit_parts(struct us_host_vm *vm)
{
	us_vmm_free(vm->base.vmm);
	us_timer_deinit(&vm->reconnect_timer);
	free(vm->problem);
	free(vm->monitor);
	free(vm);
}

int us_host_vm_new(struct us_host_vm **ret_vm, struct us_vms *vms, const char *name,
		   const char *monitor)
{
	struct us_host_vm *vm = calloc(1, sizeof(*vm));
	struct us_reason connecting;
	int r;

	if (!vm)
		return -ENOMEM;
	vm->vms = vms;
	us_list_init(&vm->base.pairs);
	snprintf(vm->base.name, sizeof(vm->base.name), "%s", name);
	r = init_parts(vm, monitor);
	if (r < 0) {
		deinit_parts(vm);
		return r;
	}
	us_refuse(&connecting, "vm %s: connecting to %s", name, monitor);
	us_optional_set(&vm->problem, connecting.text);
	us_list_append(&vms->list, &vm->link);
	*ret_vm = vm;
	return 0;
}

void us_host_vm_expect(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	vm->base.is_expected = true;
	vm->is_abandoned = false;
	vm->base.state = US_VM_INCOMING;
	us_host_vm_for_each_pair (pair, vm)
		us_host_pair_observe_expected(pair);
	us_optional_set(&vm->problem, "libvirt does not have the domain yet");
}

void us_host_vm_stop_expecting(struct us_host_vm *vm)
{
	if (!vm->base.is_expected)
		return;
	vm->base.is_expected = false;
	vm->is_abandoned = true;
	set_state(vm, US_VM_GONE, false);
	TELL(vm, not_expected);
}

void us_host_vm_connect(struct us_host_vm *vm)
{
	us_vmm_connect(vm->base.vmm);
}

int us_host_vm_add_pair(struct us_host_vm *vm, const struct us_pair_spec *spec,
			const struct us_pair_start *start)
{
	struct us_host_pair *pair;

	return us_host_pair_new(&pair, vm->vms->pairs, &vm->base, spec, start);
}

void us_host_vm_free(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	TELL(vm, freed);
	us_deferred_forget_vm(vm);
	while ((pair = us_pair_vm_next(&vm->base, NULL)))
		us_host_pair_free(pair);
	us_list_remove(&vm->link);
	deinit_parts(vm);
}

int us_vms_new(struct us_vms **ret_vms, sd_event *loop, struct us_pairs *pairs,
	       struct us_libvirt *libvirt, const struct us_vms_handler *handler, void *userdata)
{
	struct us_vms *vms = calloc(1, sizeof(*vms));
	int r;

	if (!vms)
		return -ENOMEM;
	vms->loop = loop;
	vms->pairs = pairs;
	vms->libvirt = libvirt;
	vms->handler = handler;
	vms->userdata = userdata;
	us_list_init(&vms->list);
	r = us_deferred_init(vms);
	if (r < 0) {
		us_vms_free(vms);
		return r;
	}
	*ret_vms = vms;
	return 0;
}

void us_vms_free(struct us_vms *vms)
{
	struct us_host_vm *vm;

	if (!vms)
		return;
	while ((vm = us_vms_next(vms, NULL)))
		us_host_vm_free(vm);
	us_deferred_deinit(vms);
	free(vms);
}
