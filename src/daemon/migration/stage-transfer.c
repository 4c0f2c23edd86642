/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stage that QEMU performs: it gets the settings first, then the order to migrate. Its answers
 * carry the VM, because the migration may be over when they come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/source-private.h"
#include "util/clock.h"
#include "util/crash-point.h"

enum {
	PROGRESS_USEC = 500 * 1000,
	DOWNTIME_MSEC = 300, /* QEMU's downtime-limit, unless it is set */
};

/* The migration that QEMU's answer is for; NULL: it is over. */
static struct us_source *source_of(const struct us_host_vm *vm)
{
	return us_migration_of_vm(vm)->source;
}

/* ---- Progress, and the prediction of the stop ---- */

static uint64_t downtime_usec(const struct us_source *source)
{
	const char *text = json_string_value(json_object_get(source->settings, "downtime-limit"));
	long msec = text ? strtol(text, NULL, 10) : 0;

	return (msec > 0 && msec < 2000000 ? msec : DOWNTIME_MSEC) * US_USEC_PER_MSEC;
}

static bool must_predict_stop(const struct us_source *source)
{
	return source->start_requested && !source->is_stopped &&
	       us_stop_method_of_vm(source->vm) == US_STOP_METHOD_PREDICT;
}

static void predict_stop(struct us_source *source)
{
	const struct us_transfer_progress *p = &source->progress;

	if (!must_predict_stop(source))
		return;
	us_stop_prediction_update(&source->stop, us_now_usec(), p->total_bytes, p->remaining_bytes,
				  p->bytes_per_sec);
	us_guest_stop_expect(source->vm, source->stop.is_near);
	sd_event_source_set_time_relative(source->ticking, source->stop.next_usec);
}

static void on_progress(void *userdata, int r, const struct us_reason *reason,
			const struct us_transfer_progress *progress)
{
	struct us_source *source = source_of(userdata);

	if (!source || r != 0)
		return;
	source->progress = *progress;
	if (!us_source_is_doing(source, US_STAGE_TRANSFER))
		return;
	predict_stop(source);
	if (us_now_usec() - source->reported_usec < PROGRESS_USEC)
		return;
	source->reported_usec = us_now_usec();
	us_source_report_progress(source, "transfer", NULL);
}

int us_source_on_tick(sd_event_source *timer, uint64_t usec, void *userdata)
{
	struct us_source *source = userdata;

	us_vmm_query_transfer(us_host_vm_vmm(source->vm), on_progress, source->vm);
	sd_event_source_set_time_relative(timer, PROGRESS_USEC);
	return 0;
}

/* ---- Start ---- */

static void on_started(void *userdata, int r, const struct us_reason *reason)
{
	struct us_source *source = source_of(userdata);

	if (!source || !us_source_is_doing(source, US_STAGE_TRANSFER))
		return;
	us_crash_point("migrate", "started", NULL);
	if (r != 0)
		us_source_end_stage(source, r, reason);
	else if (must_predict_stop(source))
		sd_event_source_set_time_relative(source->ticking, 0);
}

static void start(struct us_source *source)
{
	struct us_host_vm *vm = source->vm;
	struct us_reason reason;
	int r;

	if (!us_host_vm_may_migrate(vm)) {
		us_refuse(&reason, "a primary is visible again");
		us_source_end_stage(source, US_REFUSED, &reason);
		return;
	}
	source->start_requested = true;
	us_guest_stop_prepare(vm);
	r = us_vmm_start_transfer(
		us_host_vm_vmm(vm),
		&(struct us_transfer_target){ .uri = source->uri, .libvirt = source->libvirt },
		on_started, vm);
	if (r != 0)
		us_source_end_stage(source, r, NULL);
}

static void on_configured(void *userdata, int r, const struct us_reason *reason)
{
	struct us_source *source = source_of(userdata);

	if (!source || !source->is_configuring)
		return;
	source->is_configuring = false;
	if (source->plan.is_undoing)
		us_source_end_stage(source, 0, NULL);
	else if (r != 0)
		us_source_end_stage(source, r, reason);
	else
		start(source);
}

/* Whoever can read the network between the hosts can read the guest's memory. */
static void warn_unencrypted(struct us_source *source)
{
	struct us_reason warning;

	if (us_migration_of_vm(source->vm)->common->trusts_network ||
	    strncmp(source->destination, "unix:", 5) == 0)
		return;
	us_refuse(&warning, "vm %s: the migration to %s is not encrypted",
		  us_host_vm_name(source->vm), source->destination);
	us_advise(&warning, "encrypt it with --set tls-creds=ID (understudy(1)), or start "
			    "understudyd with --trust-migration-network");
	us_source_warn(source, &warning);
}

static void on_settings(void *userdata, const json_t *before, bool is_encrypted)
{
	struct us_host_vm *vm = userdata;

	us_migration_settings_remember(vm, before, is_encrypted);
	if (source_of(vm) && !is_encrypted)
		warn_unencrypted(source_of(vm));
}

void us_source_transfer(struct us_source *source)
{
	int r;

	us_stop_prediction_init(&source->stop, downtime_usec(source));
	r = us_vmm_configure_transfer(us_host_vm_vmm(source->vm), source->settings, on_settings,
				      on_configured, source->vm);
	if (r < 0) {
		us_source_end_stage(source, r, NULL);
		return;
	}
	source->is_configuring = true;
	sd_event_source_set_time_relative(source->ticking, PROGRESS_USEC);
	sd_event_source_set_enabled(source->ticking, SD_EVENT_ON);
}

/* ---- End ---- */

static bool is_cancelling(const struct us_source *source)
{
	return source && source->plan.stage == US_STAGE_TRANSFER && source->plan.is_undoing;
}

/*
 * If no transfer is active any more, no event will report its end. If the monitor was lost, the
 * transfer may go on, and is cancelled when the VM is adopted again.
 */
static void on_cancelled(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;
	struct us_source *source = source_of(vm);

	if (is_cancelling(source) && r != -ECONNRESET &&
	    us_host_vm_facts(vm)->transfer != US_TRANSFER_ACTIVE)
		us_source_end_stage(source, 0, NULL);
}

void us_source_cancel_transfer(struct us_source *source)
{
	/* on_configured() ends the undo. Without the wait, QEMU's answer would be taken for the
	 * answer to the next migration. */
	if (source->is_configuring)
		return;
	if (!source->start_requested)
		us_source_end_stage(source, 0, NULL);
	else if (us_host_vm_facts(source->vm)->state == US_VM_GONE)
		us_source_end_stage(source, 0, NULL);
	else if (!us_vmm_is_adopted(us_host_vm_vmm(source->vm)))
		us_guest_stop_expect(source->vm, false); /* until then, nobody tells the stop */
	else if (us_vmm_cancel_transfer(us_host_vm_vmm(source->vm), on_cancelled, source->vm) < 0)
		us_source_post(source, US_PLAN_FAILED);
}

void us_source_vm_lost(struct us_host_vm *vm, bool has_ended, const struct us_reason *reason)
{
	struct us_source *source = source_of(vm);

	if (!source || us_stage_is_past_return(source->plan.stage) ||
	    (is_cancelling(source) && !has_ended))
		return;
	us_source_end_stage(source, US_REFUSED, reason);
}

/* QEMU's event does not have the reason, but its progress does. */
static void on_failed_progress(void *userdata, int r, const struct us_reason *reason,
			       const struct us_transfer_progress *progress)
{
	struct us_source *source = source_of(userdata);
	struct us_reason failure;

	if (!source || !us_source_is_doing(source, US_STAGE_TRANSFER))
		return;
	if (r == 0 && progress->error[0]) {
		us_refuse(&failure, "%s", progress->error);
	} else {
		us_refuse(&failure, "QEMU's migration failed");
		us_advise(&failure, "see its log and the destination's");
	}
	us_source_end_stage(source, US_REFUSED, &failure);
}

/* The migration whose transfer QEMU got the order for; NULL: there is none. */
static struct us_source *transferring_source(const struct us_host_vm *vm)
{
	struct us_source *source = source_of(vm);
	bool is_transferring =
		source && source->plan.stage == US_STAGE_TRANSFER && source->start_requested;

	return is_transferring ? source : NULL;
}

void us_source_transfer_changed(struct us_host_vm *vm)
{
	struct us_source *source = transferring_source(vm);
	enum us_transfer transfer = us_host_vm_facts(vm)->transfer;

	if (!source)
		return;
	if (transfer == US_TRANSFER_COMPLETED)
		us_source_post(source, US_PLAN_COMPLETED);
	else if (transfer != US_TRANSFER_FAILED && transfer != US_TRANSFER_CANCELLED)
		return;
	else if (source->plan.is_undoing)
		us_source_end_stage(source, 0, NULL);
	else
		us_vmm_query_transfer(us_host_vm_vmm(vm), on_failed_progress, vm);
}

/* A QEMU whose guest has arrived here earlier reports a completed transfer, too. */
static bool is_stale(const struct us_host_vm *vm)
{
	return us_host_vm_facts(vm)->transfer == US_TRANSFER_COMPLETED &&
	       us_host_vm_facts(vm)->state != US_VM_MOVED;
}

void us_source_vm_adopted(struct us_host_vm *vm)
{
	if (!is_stale(vm))
		us_source_transfer_changed(vm);
	if (is_cancelling(source_of(vm)))
		us_source_cancel_transfer(source_of(vm));
}

void us_source_guest_stopped(struct us_host_vm *vm, uint64_t age_usec)
{
	struct us_source *source = transferring_source(vm);

	if (!source)
		return;
	source->is_stopped = true;
	us_guest_stop_begin(vm, &source->peer, age_usec);
}

void us_migration_guest_resumed(struct us_host_vm *vm)
{
	struct us_source *source = transferring_source(vm);

	if (!source)
		return;
	source->is_stopped = false;
	us_guest_stop_undo(vm, &source->peer);
}
