/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The composition: makes the parts of the daemon and connects them. A part that is below another
 * one reaches it through a handler struct; all of these are here, and each function only passes on.
 */
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/doctor/doctor.h"
#include "daemon/metrics/metrics.h"
#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "daemon/vf/vf.h"
#include "util/cleanup.h"
#include "vmm/libvirt/libvirt.h"

/* ---- What happens to pairs ---- */

static void on_pair_freed(void *userdata, struct us_host_pair *pair)
{
	us_metrics_forget_pair(pair);
	us_migration_pair_removed(pair);
}

static void on_pair_stepped(void *userdata, struct us_host_pair *pair, const struct us_pair *before,
			    const struct us_event *event)
{
	const struct us_daemon *daemon = userdata;

	us_metrics_count_step(daemon->metrics, pair, before, event);
}

static void on_pair_moved(void *userdata, struct us_host_pair *pair, enum us_primary from,
			  bool moved)
{
	const struct us_daemon *daemon = userdata;

	us_rpc_publish_move(daemon->rpc, pair, from, moved);
}

static void on_pair_save(void *userdata, struct us_host_pair *pair)
{
	const struct us_daemon *daemon = userdata;

	us_state_save_vm(daemon->state, us_host_vm_of(pair));
}

static void on_pair_settled(void *userdata)
{
	const struct us_daemon *daemon = userdata;

	us_vms_recheck_soon(daemon->vms);
}

static const struct us_pairs_handler pairs_handler = {
	.made = us_migration_pair_added,
	.freed = on_pair_freed,
	.stepped = on_pair_stepped,
	.moved = on_pair_moved,
	.save = on_pair_save,
	.inspected = us_migration_pair_adopted,
	.settled = on_pair_settled,
};

/* ---- What happens to VMs ---- */

static int on_vm_made(void *userdata, struct us_host_vm *vm)
{
	const struct us_daemon *daemon = userdata;

	return us_migration_vm_added(vm, &daemon->migrations);
}

static void on_vm_freed(void *userdata, struct us_host_vm *vm)
{
	const struct us_daemon *daemon = userdata;

	us_migration_vm_removed(vm);
	us_rpc_forget_declaration(daemon->rpc, vm);
	us_rpc_forget_vm(daemon->rpc, vm);
	us_doctor_forget_vm(daemon->doctor, vm);
	us_state_forget_text(vm);
}

static void on_vm_adopted(void *userdata, struct us_host_vm *vm)
{
	const struct us_daemon *daemon = userdata;

	us_migration_vm_adopted(vm);
	us_rpc_declared_vm_adopted(daemon->rpc, vm);
	us_rpc_vm_adopted(daemon->rpc, vm);
	us_rpc_publish_vm(daemon->rpc, vm, "adopted");
}

static bool on_vm_refused(void *userdata, struct us_host_vm *vm, const struct us_reason *reason)
{
	const struct us_daemon *daemon = userdata;

	return us_rpc_vm_refused(daemon->rpc, vm, reason);
}

static void on_vm_lost(void *userdata, struct us_host_vm *vm, bool has_ended,
		       const struct us_reason *reason)
{
	const struct us_daemon *daemon = userdata;

	us_migration_vm_lost(vm, has_ended, reason);
	if (has_ended) /* libvirt does not report a domain that stopped while it did not answer */
		us_rpc_forget_soon(daemon->rpc);
	us_rpc_publish_vm(daemon->rpc, vm, has_ended ? "gone" : "lost");
}

static void on_vm_traced(void *userdata, struct us_host_vm *vm, const char *name, uint64_t age_usec)
{
	const struct us_daemon *daemon = userdata;

	/* The migration first: from now on, every frame belongs to the guest's next host. */
	if (strcmp(name, "STOP") == 0)
		us_migration_guest_stopped(vm, age_usec);
	else if (strcmp(name, "RESUME") == 0)
		us_migration_guest_resumed(vm);
	us_rpc_publish_vm(daemon->rpc, vm, name);
}

static void on_vm_not_expected(void *userdata, struct us_host_vm *vm)
{
	us_rpc_forget_soon(((const struct us_daemon *)userdata)->rpc);
}

static void on_vm_changed(void *userdata, struct us_host_vm *vm)
{
	const struct us_daemon *daemon = userdata;

	us_state_save_soon(daemon->state, vm);
}

static const struct us_vms_handler vms_handler = {
	.made = on_vm_made,
	.freed = on_vm_freed,
	.adopted = on_vm_adopted,
	.refused = on_vm_refused,
	.lost = on_vm_lost,
	.state_changed = us_migration_state_changed,
	.transfer_changed = us_migration_transfer_changed,
	.incoming_failed = us_migration_incoming_failed,
	.traced = on_vm_traced,
	.not_expected = on_vm_not_expected,
	.changed = on_vm_changed,
};

/* ---- What happens to migrations ---- */

static void on_stage(void *userdata, struct us_host_vm *vm, const char *stage, const char *line)
{
	us_rpc_publish_stage(((const struct us_daemon *)userdata)->rpc, vm, stage, line);
}

static void on_migration_save(void *userdata, struct us_host_vm *vm)
{
	us_state_save_vm(((const struct us_daemon *)userdata)->state, vm);
}

static const struct us_migration_handler migration_handler = {
	.stage = on_stage,
	.save = on_migration_save,
	.save_soon = on_vm_changed,
};

/* ---- What the doctor asks ---- */

static const char *unsaved(void *userdata)
{
	return us_state_unsaved(((const struct us_daemon *)userdata)->state);
}

static void count_failures(void *userdata, struct us_host_pair *pair, unsigned *ret_unplug_timeouts,
			   unsigned *ret_backoffs)
{
	const struct us_transition_counts *counts = us_metrics_of_pair(pair);

	*ret_unplug_timeouts = counts->unplug_timeouts;
	*ret_backoffs = counts->backoffs;
}

static void each_refusal(void *userdata, const struct us_host_vm *vm,
			 void (*each)(void *each_userdata, const struct us_reason *reason),
			 void *each_userdata)
{
	us_rpc_each_refusal(((const struct us_daemon *)userdata)->rpc, vm, each, each_userdata);
}

static const struct us_doctor_handler doctor_handler = {
	.unsaved = unsaved,
	.is_migrating = us_migration_is_source,
	.failures = count_failures,
	.each_refusal = each_refusal,
};

/* ---- What the metrics ask ---- */

static void read_daemon(void *userdata, struct us_metrics_daemon *ret_daemon)
{
	const struct us_daemon *daemon = userdata;

	us_rpc_count(daemon->rpc, ret_daemon);
	ret_daemon->started_usec = daemon->started_usec;
	ret_daemon->parked = *us_pairs_park_budget(daemon->pairs);
}

/* ---- What the state file asks ---- */

static bool is_attaching(void *userdata, const struct us_host_vm *vm)
{
	return us_rpc_is_attaching(((const struct us_daemon *)userdata)->rpc, vm);
}

static const struct us_state_handler state_handler = {
	.is_attaching = is_attaching,
	.settings = us_migration_saved,
	.load_settings = us_migration_load,
};

/* ---- What libvirt reports ---- */

static void on_domain(void *userdata, const struct us_libvirt_report *report)
{
	us_rpc_domain_reported(((const struct us_daemon *)userdata)->rpc, report);
}

/* ---- Life ---- */

static int make_rpc(struct us_daemon *daemon)
{
	const struct us_rpc_config config = {
		.loop = daemon->loop,
		.vms = daemon->vms,
		.state = daemon->state,
		.metrics = daemon->metrics,
		.migrations = &daemon->migrations,
		.libvirt = daemon->libvirt,
		.doctor = daemon->doctor,
		.config_path = daemon->config_path,
		.started_usec = daemon->started_usec,
	};

	return us_rpc_new(&daemon->rpc, &config);
}

static int make_doctor(struct us_daemon *daemon)
{
	const struct us_doctor_config config = {
		.vms = daemon->vms,
		.vfs = daemon->vfs,
		.libvirt = daemon->libvirt,
		.libvirt_uri = daemon->libvirt_uri,
	};

	return us_doctor_new(&daemon->doctor, &config, &doctor_handler, daemon);
}

static int make_vms(struct us_daemon *daemon)
{
	const struct us_vfs_config vfs = { .loop = daemon->loop,
					   .state_dir = daemon->state_dir,
					   .pools_path = daemon->pools_path };
	struct us_pairs_config pairs = { .loop = daemon->loop, .park_bytes = daemon->park_bytes };
	int r = us_vfs_new(&daemon->vfs, &vfs);

	pairs.vfs = daemon->vfs;
	if (r >= 0)
		r = us_pairs_new(&daemon->pairs, &pairs, &pairs_handler, daemon);
	if (r >= 0)
		r = us_libvirt_new(&daemon->libvirt, daemon->loop, daemon->libvirt_helper,
				   on_domain, daemon);
	if (r >= 0)
		r = us_vms_new(&daemon->vms, daemon->loop, daemon->pairs, daemon->libvirt,
			       &vms_handler, daemon);
	daemon->migrations.vms = daemon->vms;
	daemon->migrations.libvirt_uri = daemon->libvirt_uri;
	return r;
}

int us_daemon_init(struct us_daemon *daemon)
{
	int r;

	daemon->migrations.handler = &migration_handler;
	daemon->migrations.userdata = daemon;
	r = sd_event_default(&daemon->loop);
	if (r >= 0)
		r = make_vms(daemon);
	if (r >= 0)
		r = us_state_new(&daemon->state, daemon->vms, daemon->loop, daemon->state_dir,
				 &state_handler, daemon);
	if (r >= 0)
		r = us_metrics_new(&daemon->metrics, daemon->vms, daemon->loop, read_daemon,
				   daemon);
	if (r >= 0)
		r = make_doctor(daemon);
	return r < 0 ? r : make_rpc(daemon);
}

void us_daemon_deinit(struct us_daemon *daemon)
{
	us_pairs_stop(daemon->pairs);
	us_vms_free(US_STEAL(daemon->vms));
	us_libvirt_free(US_STEAL(daemon->libvirt));
	us_vfs_free(US_STEAL(daemon->vfs));
	us_pairs_free(US_STEAL(daemon->pairs));
	us_rpc_free(US_STEAL(daemon->rpc));
	us_doctor_free(US_STEAL(daemon->doctor));
	us_metrics_free(US_STEAL(daemon->metrics));
	us_state_free(US_STEAL(daemon->state));
	daemon->loop = sd_event_unref(daemon->loop);
}
