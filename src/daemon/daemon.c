/* SPDX-License-Identifier: BSD-3-Clause */
/* Its life on a loop, finding things by name, waiting for them, and the log. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "daemon/daemon.h"
#include "util/printable.h"

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

int us_daemon_init(struct us_daemon *daemon)
{
	int r;

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
		r = us_orphans_init(daemon);
	return r < 0 ? r : us_neighbourhood_init(daemon);
}

void us_daemon_deinit(struct us_daemon *daemon)
{
	struct us_host_vm *vm;

	daemon->is_stopping = true;
	us_list_for_each (vm, &daemon->vms, link)
		us_host_vm_free(vm);
	us_neighbourhood_deinit(daemon);
	us_orphans_deinit(daemon);
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
