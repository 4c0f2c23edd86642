/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes the metrics' numbers down: what is true of the daemon, its VMs and pairs at one moment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/metrics/metrics-private.h"
#include "util/clock.h"

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (uint64_t)pages * sysconf(_SC_PAGESIZE);
}

static void take_daemon(struct daemon_row *row, const struct us_daemon *daemon)
{
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link) {
		row->vms++;
		us_list_for_each (pair, &vm->pairs, link)
			row->pairs++;
	}
	row->started_usec = daemon->started_usec;
	row->cpu_usec = us_clock_usec(CLOCK_PROCESS_CPUTIME_ID);
	row->resident_bytes = resident_bytes();
	row->clients = us_server_clients(daemon->server);
	us_server_counts(daemon->server, &row->server);
	row->dropped_events = daemon->dropped_events;
	row->parked = daemon->parked;
	memcpy(row->durations, daemon->durations, sizeof(row->durations));
}

static void take_vm(struct vm_row *row, const struct us_host_vm *vm)
{
	memcpy(row->name, vm->name, sizeof(row->name));
	row->state = us_vm_state_name(vm->state);
	row->is_connected = us_vmm_is_adopted(vm->vmm);
	row->is_prepared = vm->prepared;
	row->counts = vm->counts;
}

static void take_pair(struct pair_row *row, const struct us_host_pair *pair, uint64_t now)
{
	const struct us_pair *engine = &pair->engine;
	struct us_park_counts parked = { 0 };

	if (pair->steer)
		us_steer_counts(pair->steer, &parked);
	memcpy(row->name, pair->spec.name, sizeof(row->name));
	memcpy(row->vm, pair->vm->name, sizeof(row->vm));
	memcpy(row->standby, pair->spec.standby, sizeof(row->standby));
	memcpy(row->port, pair->spec.port, sizeof(row->port));
	row->mode = us_mode_name(engine->config.mode);
	row->primary = us_pair_primary_name(engine);
	row->path = us_path_name(us_pair_path(engine));
	row->guest = us_pair_guest_name(engine);
	row->driver_ok = us_pair_has_driver_ok(engine);
	row->hold = us_pair_is_on_hold(engine);
	row->is_overdue = us_host_pair_is_overdue(pair);
	row->backoff_usec = us_pair_plug_after(engine) > now ? us_pair_plug_after(engine) - now : 0;
	row->held = parked.parked;
	row->held_bytes = parked.parked_bytes;
	row->released = parked.released;
	row->overflowed = parked.overflowed;
	row->undelivered = parked.undelivered;
	row->held_now = parked.frames;
	row->counts = pair->counts;
}

static bool has_place(const struct us_daemon *daemon, uid_t uid)
{
	const struct us_metrics_reader *metrics;
	unsigned all = 0, same = 0;

	us_list_for_each (metrics, &daemon->metrics, link) {
		all++;
		same += metrics->uid == uid;
	}
	return all < US_METRICS_READERS && (uid == 0 || same < US_METRICS_READERS_OF_USER);
}

int us_metrics_reader_new(struct us_metrics_reader **ret_metrics, struct us_daemon *daemon,
			  uid_t uid)
{
	struct us_metrics_reader *metrics;
	struct us_host_vm *vm;
	struct us_host_pair *pair;
	size_t vms = 0, pairs = 0;
	uint64_t now = us_now_usec();

	if (!has_place(daemon, uid))
		return -EBUSY;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return -ENOMEM;
	us_list_append(&daemon->metrics, &metrics->link);
	metrics->uid = uid;
	take_daemon(&metrics->of_daemon, daemon);
	metrics->vms = calloc(metrics->of_daemon.vms + 1, sizeof(*metrics->vms));
	metrics->pairs = calloc(metrics->of_daemon.pairs + 1, sizeof(*metrics->pairs));
	if (!metrics->vms || !metrics->pairs) {
		us_metrics_reader_free(metrics);
		return -ENOMEM;
	}
	us_list_for_each (vm, &daemon->vms, link) {
		take_vm(&metrics->vms[vms++], vm);
		us_list_for_each (pair, &vm->pairs, link)
			take_pair(&metrics->pairs[pairs++], pair, now);
	}
	*ret_metrics = metrics;
	return 0;
}

void us_metrics_reader_free(struct us_metrics_reader *metrics)
{
	if (!metrics)
		return;
	us_list_remove(&metrics->link);
	free(metrics->vms);
	free(metrics->pairs);
	free(metrics);
}
