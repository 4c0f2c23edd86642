/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies the values of one moment for a reader: of the daemon, its VMs and its pairs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/metrics/metrics-private.h"
#include "net/steer/steer.h"
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

static void copy_daemon(struct daemon_row *row, const struct us_metrics *metrics)
{
	const struct us_host_vm *vm;
	const struct us_host_pair *pair;

	us_vms_for_each (vm, metrics->vms) {
		row->vms++;
		us_host_vm_for_each_pair (pair, vm)
			row->pairs++;
	}
	row->cpu_usec = us_clock_usec(CLOCK_PROCESS_CPUTIME_ID);
	row->resident_bytes = resident_bytes();
	metrics->read_daemon(metrics->userdata, &row->other);
	memcpy(row->durations, metrics->durations, sizeof(row->durations));
}

static void copy_vm(struct vm_row *row, const struct us_host_vm *vm)
{
	strcpy(row->name, us_host_vm_name(vm));
	row->state = us_vm_state_name(us_host_vm_facts(vm)->state);
	row->is_connected = us_vmm_is_adopted(us_host_vm_vmm(vm));
	row->is_prepared = us_host_vm_facts(vm)->is_prepared;
	row->counts = *us_host_vm_counts(vm);
}

static void copy_pair(struct pair_row *row, struct us_host_pair *pair, uint64_t now)
{
	const struct us_pair *engine = us_host_pair_engine(pair);
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	const struct us_transition_counts *counts = us_host_pair_slots(pair)->metrics;
	struct us_steer *steer = us_host_pair_steer(pair);
	uint64_t plug_after = us_pair_plug_after(engine);

	if (steer)
		us_steer_counts(steer, &row->parked);
	memcpy(row->name, spec->name, sizeof(row->name));
	strcpy(row->vm, us_host_vm_name(us_host_vm_of(pair)));
	memcpy(row->standby, spec->standby, sizeof(row->standby));
	memcpy(row->port, spec->port, sizeof(row->port));
	row->mode = us_mode_name(engine->config.mode);
	row->primary = us_pair_primary_name(engine);
	row->path = us_path_name(us_pair_path(engine));
	row->guest = us_pair_guest_name(engine);
	row->driver_ok = engine->facts.driver_ok;
	row->hold = engine->facts.hold;
	row->is_overdue = us_pair_is_unplug_overdue(engine);
	row->backoff_usec = plug_after > now ? plug_after - now : 0;
	if (counts)
		row->counts = *counts;
}

static bool has_place(const struct us_metrics *metrics, uid_t uid)
{
	const struct us_metrics_reader *reader;
	unsigned all = 0, same = 0;

	us_list_for_each (reader, &metrics->readers, link) {
		all++;
		same += reader->uid == uid;
	}
	return all < US_METRICS_READERS && (uid == 0 || same < US_METRICS_READERS_OF_USER);
}

int us_metrics_reader_new(struct us_metrics_reader **ret_reader, struct us_metrics *metrics,
			  uid_t uid)
{
	struct us_metrics_reader *reader;
	struct us_host_vm *vm;
	struct us_host_pair *pair;
	size_t vms = 0, pairs = 0;
	uint64_t now = us_now_usec();

	if (!has_place(metrics, uid))
		return -EBUSY;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	us_list_append(&metrics->readers, &reader->link);
	reader->uid = uid;
	copy_daemon(&reader->of_daemon, metrics);
	reader->vms = calloc(reader->of_daemon.vms + 1, sizeof(*reader->vms));
	reader->pairs = calloc(reader->of_daemon.pairs + 1, sizeof(*reader->pairs));
	if (!reader->vms || !reader->pairs) {
		us_metrics_reader_free(reader);
		return -ENOMEM;
	}
	us_vms_for_each (vm, metrics->vms) {
		copy_vm(&reader->vms[vms++], vm);
		us_host_vm_for_each_pair (pair, vm)
			copy_pair(&reader->pairs[pairs++], pair, now);
	}
	*ret_reader = reader;
	return 0;
}

void us_metrics_reader_free(struct us_metrics_reader *reader)
{
	if (!reader)
		return;
	us_list_remove(&reader->link);
	free(reader->vms);
	free(reader->pairs);
	free(reader);
}
