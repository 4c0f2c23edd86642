/* SPDX-License-Identifier: BSD-3-Clause */
/* A VM that was attached: what its monitor tells, told on to its pairs and to its migration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "daemon/daemon.h"
#include "util/clock.h"

enum {
	AGAIN_USEC = 2 * 1000 * 1000, /* until a refused monitor is tried again */
};

static const struct us_vms_handler *handler_of(const struct us_host_vm *vm)
{
	return vm->daemon->vms_handler;
}

void us_host_vm_defer(struct us_host_vm *vm, struct us_deferred *deferred)
{
	us_deferred_add(vm->daemon->deferreds, vm, deferred);
}

void us_host_vm_feed(struct us_host_vm *vm, const struct us_event *event)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		us_host_pair_feed(pair, *event);
}

bool us_host_vm_may_migrate(const struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (!us_pair_may_migrate(&pair->engine))
			return false;
	return true;
}

struct us_drain_process us_host_vm_process(const struct us_host_vm *vm)
{
	return (struct us_drain_process){ .pidfd = us_vmm_pidfd(vm->vmm),
					  .pid = us_vmm_pid(vm->vmm) };
}

static struct us_host_pair *by_device(struct us_host_vm *vm, const char *device, bool standby)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (strcmp(standby ? pair->spec.standby : pair->device, device) == 0)
			return pair;
	return NULL;
}

static void set_state(struct us_host_vm *vm, enum us_vm_state state)
{
	bool arrived = vm->state == US_VM_INCOMING && state == US_VM_RUNNING;

	vm->state = state;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_VM, .vm = state });
	vm->counts.arrivals += arrived;
	handler_of(vm)->state_changed(vm->daemon, vm, arrived);
}

static void set_transfer(struct us_host_vm *vm, enum us_transfer transfer)
{
	vm->transfer = transfer;
	vm->counts.transfers_completed += transfer == US_TRANSFER_COMPLETED;
	vm->counts.transfers_failed += transfer == US_TRANSFER_FAILED;
	vm->counts.transfers_cancelled += transfer == US_TRANSFER_CANCELLED;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_MIGRATING,
						.on = transfer == US_TRANSFER_ACTIVE });
	handler_of(vm)->transfer_changed(vm->daemon, vm);
}

static void adopted(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair;

	us_log(LOG_INFO, "vm %s: adopted (QEMU %s, %s)", vm->name, us_vmm_version(vm->vmm),
	       us_vm_state_name(event->state));
	us_optional_set(&vm->problem, "");
	vm->state = event->state;
	vm->transfer = event->transfer;
	us_list_for_each (pair, &vm->pairs, link) {
		pair->is_inspected = false;
		us_host_pair_observe(pair);
	}
	handler_of(vm)->adopted(vm->daemon, vm);
}

static void on_again(void *userdata)
{
	us_vmm_connect(((struct us_host_vm *)userdata)->vmm);
}

/* Adoption was refused, or the monitor went away. Frees @vm if it was only being attached. */
static void lost(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	bool refused = event->type == US_VMM_REFUSED, exited = event->exited;
	const char *why = event->reason->text;
	bool is_news = strcmp(why, us_optional_text(vm->problem)) != 0;

	vm->counts.disconnects += !vm->problem;
	us_optional_set(&vm->problem, why);
	if (handler_of(vm)->refused(vm->daemon, vm, event->reason)) {
		us_host_vm_free(vm);
		return;
	}
	if (is_news)
		us_log(LOG_WARNING, "vm %s: %s", vm->name, why);
	if (refused) /* nobody else tries again */
		us_timer_set(&vm->reconnect_timer, us_now_usec() + AGAIN_USEC);
	vm->transfer = US_TRANSFER_NONE;
	if (exited && vm->prepared) { /* the pairs forget it too: the next QEMU is another one */
		vm->prepared = false;
		handler_of(vm)->changed(vm->daemon, vm);
	}
	set_state(vm, exited ? US_VM_GONE : US_VM_UNKNOWN);
	handler_of(vm)->lost(vm->daemon, vm, exited, event->reason);
}

static void on_guest(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair = by_device(vm, event->device, true);

	if (pair)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_GUEST,
							   .guest = event->guest,
							   .on = event->driver_ok });
}

static void on_deleted(struct us_host_vm *vm, const struct us_vmm_event *event)
{
	struct us_host_pair *pair = by_device(vm, event->device, false);

	if (pair)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_UNPLUGGED });
}

static void on_event(void *userdata, const struct us_vmm_event *event)
{
	struct us_host_vm *vm = userdata;

	switch (event->type) {
	case US_VMM_ADOPTED:
		adopted(vm, event);
		break;
	case US_VMM_REFUSED:
	case US_VMM_LOST:
		lost(vm, event);
		break;
	case US_VMM_STATE:
		set_state(vm, event->state);
		break;
	case US_VMM_RESET:
		vm->counts.resets++;
		us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_RESET,
							.age_usec = event->age_usec });
		break;
	case US_VMM_GUEST:
		on_guest(vm, event);
		break;
	case US_VMM_DELETED:
		on_deleted(vm, event);
		break;
	case US_VMM_INCOMING_FAILED:
		us_log(LOG_WARNING, "vm %s: %s", vm->name, event->reason->text);
		handler_of(vm)->incoming_failed(vm->daemon, vm, event->reason);
		break;
	case US_VMM_TRANSFER:
		set_transfer(vm, event->transfer);
		break;
	case US_VMM_TRACE:
		handler_of(vm)->traced(vm->daemon, vm, event->name, event->age_usec);
		break;
	}
}

int us_host_vm_new(struct us_host_vm **ret_vm, struct us_daemon *daemon, const char *name,
		   const char *monitor_path)
{
	static const struct us_vmm_handler handler = { .event = on_event };
	struct us_host_vm *vm = calloc(1, sizeof(*vm));
	struct us_reason connecting;
	int r = -ENOMEM;

	if (!vm)
		return -ENOMEM;
	vm->daemon = daemon;
	us_list_init(&vm->pairs);
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->monitor_path = strdup(monitor_path);
	if (vm->monitor_path)
		r = us_vmm_new(&vm->vmm, daemon->loop, monitor_path, &handler, vm);
	if (r >= 0)
		r = us_timer_init(&vm->reconnect_timer, daemon->loop, on_again, vm);
	if (r >= 0)
		r = daemon->vms_handler->made(daemon, vm);
	if (r < 0) {
		us_timer_deinit(&vm->reconnect_timer);
		us_vmm_free(vm->vmm);
		free(vm->monitor_path);
		free(vm);
		return r;
	}
	us_refuse(&connecting, "vm %s: connecting to %s", name, monitor_path);
	us_optional_set(&vm->problem, connecting.text);
	us_list_append(&daemon->vms, &vm->link);
	*ret_vm = vm;
	return 0;
}

void us_host_vm_free(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	handler_of(vm)->freed(vm->daemon, vm);
	us_list_for_each (pair, &vm->pairs, link)
		us_host_pair_free(pair);
	us_list_remove(&vm->link);
	us_vmm_free(vm->vmm);
	us_timer_deinit(&vm->reconnect_timer);
	free(vm->problem);
	free(vm->monitor_path);
	free(vm);
}

struct us_host_vm *us_host_vm_of(const struct us_host_pair *pair)
{
	return pair->vm;
}

const char *us_host_vm_name(const struct us_host_vm *vm)
{
	return vm->name;
}

const char *us_host_vm_monitor_path(const struct us_host_vm *vm)
{
	return vm->monitor_path;
}

sd_event *us_host_vm_loop(const struct us_host_vm *vm)
{
	return vm->daemon->loop;
}

struct us_vmm *us_host_vm_vmm(const struct us_host_vm *vm)
{
	return vm->vmm;
}

enum us_vm_state us_host_vm_state(const struct us_host_vm *vm)
{
	return vm->state;
}

enum us_transfer us_host_vm_transfer(const struct us_host_vm *vm)
{
	return vm->transfer;
}

const char *us_host_vm_problem(const struct us_host_vm *vm)
{
	return us_optional_text(vm->problem);
}

bool us_host_vm_is_prepared(const struct us_host_vm *vm)
{
	return vm->prepared;
}

void us_host_vm_set_prepared(struct us_host_vm *vm, bool is_prepared)
{
	vm->prepared = is_prepared;
}

const struct us_vm_counts *us_host_vm_counts(const struct us_host_vm *vm)
{
	return &vm->counts;
}

void us_host_vm_count_migration(struct us_host_vm *vm, bool is_done)
{
	vm->counts.migrations_done += is_done;
	vm->counts.migrations_failed += !is_done;
}

struct us_vm_slots *us_host_vm_slots(struct us_host_vm *vm)
{
	return &vm->slots;
}

struct us_host_pair *us_host_vm_next_pair(const struct us_host_vm *vm,
					  const struct us_host_pair *pair)
{
	struct us_list *next = pair ? pair->link.next : vm->pairs.next;

	return next == &vm->pairs ? NULL : us_list_entry(next, struct us_host_pair, link);
}
