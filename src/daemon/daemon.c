/* SPDX-License-Identifier: BSD-3-Clause */
/* Its life on a loop, finding things by name, waiting for them, and the log. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "daemon/daemon.h"

/* ---- Life ---- */

static int on_saving(sd_event_source *source, uint64_t usec, void *userdata)
{
	us_state_save(userdata);
	/* The text of all VMs took several KiB for each: not to be kept for the next time. */
	malloc_trim(0);
	return 0;
}

/* A waiter that is done may have ended others' pairs or waits: begin anew after each. */
static int on_settling(sd_event_source *source, void *userdata)
{
	struct us_daemon *daemon = userdata;
	struct us_deferred *waiter;
	bool again = true;

	while (again) {
		again = false;
		us_list_for_each (waiter, &daemon->waiters, link) {
			if (waiter->check(waiter)) {
				again = true;
				break;
			}
		}
	}
	return 0;
}

static bool is_wanted(void *userdata, const struct us_reserved *reserved)
{
	const struct us_host_pair *pair = us_daemon_pair(userdata, reserved->pair);

	return pair && us_host_pair_has_primary(pair) &&
	       strcmp(pair->spec.primary.host, reserved->address) == 0;
}

/* The status of the pair that had it tells why, unless it has another device now. */
static void on_not_returned(void *userdata, const char *name, const char *reason)
{
	struct us_host_pair *pair = us_daemon_pair(userdata, name);

	if (pair && !pair->vf)
		us_optional_set(&pair->detail, reason);
}

static void on_ports_changed(void *userdata)
{
	us_recheck_update_interest(userdata);
}

static const struct us_vfs_handler vfs_handler = {
	.is_wanted = is_wanted,
	.not_returned = on_not_returned,
	.ports_changed = on_ports_changed,
};

/* ---- Migrations ---- */

static void on_stage(void *userdata, struct us_host_vm *vm, const char *stage, const char *line)
{
	us_publish_stage(vm, stage, line);
}

static void save_vm(void *userdata, struct us_host_vm *vm)
{
	us_state_save_vm(vm);
}

static void save_vm_soon(void *userdata, struct us_host_vm *vm)
{
	us_state_save_soon(vm);
}

static const struct us_migration_handler migration_handler = {
	.stage = on_stage,
	.save = save_vm,
	.save_soon = save_vm_soon,
};

/* ---- Life ---- */

int us_daemon_init(struct us_daemon *daemon)
{
	int r;

	daemon->migrations.handler = &migration_handler;
	daemon->migrations.userdata = daemon;

	us_list_init(&daemon->vms);
	us_list_init(&daemon->monitors);
	us_list_init(&daemon->waiters);
	us_list_init(&daemon->metrics);
	if (!daemon->parked.limit)
		daemon->parked.limit = US_PARK_HOST_BYTES;
	r = sd_event_default(&daemon->loop);
	if (r >= 0)
		r = sd_event_add_time(daemon->loop, &daemon->saving, CLOCK_MONOTONIC, 0, 1,
				      on_saving, daemon);
	if (r >= 0)
		r = sd_event_source_set_enabled(daemon->saving, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(daemon->loop, &daemon->settling, on_settling, daemon);
	if (r >= 0)
		r = sd_event_source_set_enabled(daemon->settling, SD_EVENT_OFF);
	if (r >= 0)
		r = us_recheck_init(daemon);
	if (r >= 0)
		r = us_vfs_new(&daemon->vfs,
			       &(struct us_vfs_config){ .loop = daemon->loop,
							.state_dir = daemon->state_dir,
							.pools_path = daemon->pools_path });
	if (r < 0)
		return r;
	us_vfs_set_handler(daemon->vfs, &vfs_handler, daemon);
	return 0;
}

void us_daemon_deinit(struct us_daemon *daemon)
{
	struct us_host_vm *vm;

	daemon->is_stopping = true;
	us_list_for_each (vm, &daemon->vms, link)
		us_host_vm_free(vm);
	us_vfs_free(US_STEAL(daemon->vfs));
	us_recheck_deinit(daemon);
	daemon->saving = sd_event_source_disable_unref(daemon->saving);
	daemon->settling = sd_event_source_disable_unref(daemon->settling);
	daemon->loop = sd_event_unref(daemon->loop);
}

/* ---- Names ---- */

struct us_host_vm *us_daemon_vm(struct us_daemon *daemon, const char *name)
{
	struct us_host_vm *vm;

	us_list_for_each (vm, &daemon->vms, link)
		if (strcmp(vm->name, name) == 0)
			return vm;
	return NULL;
}

struct us_host_pair *us_daemon_pair(struct us_daemon *daemon, const char *name)
{
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			if (strcmp(pair->spec.name, name) == 0)
				return pair;
	return NULL;
}

void us_deferred_add(struct us_host_vm *vm, struct us_deferred *waiter)
{
	waiter->vm = vm;
	us_list_append(&vm->daemon->waiters, &waiter->link);
	us_deferred_recheck_soon(vm->daemon);
}

void us_deferred_recheck_soon(struct us_daemon *daemon)
{
	if (!us_list_is_empty(&daemon->waiters))
		sd_event_source_set_enabled(daemon->settling, SD_EVENT_ONESHOT);
}
