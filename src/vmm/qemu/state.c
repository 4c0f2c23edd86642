/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/standby.h"
#include "vmm/qemu/state.h"

enum {
	/* For a migration that somebody else started without the capability `events`. */
	TRANSFER_RECHECK_USEC = 1000 * 1000,
};

static void set_state(struct us_vmm *vmm, enum us_vm_state state)
{
	if (state == vmm->state)
		return;
	vmm->state = state;
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_STATE });
}

/* ---- Run state ---- */

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	if (!vmm->adopted)
		return;
	us_qemu_ref(vmm);
	if (answer->r == 0) {
		vmm->running = us_qemu_decode_running(answer->value);
		set_state(vmm, us_qemu_decode_run_state(answer->value, vmm->transfer));
	}
	if (vmm->transfer_ended && !vmm->freed) {
		vmm->transfer_ended = false;
		us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
	if (!vmm->freed)
		us_qemu_state_schedule(vmm);
	us_qemu_unref(vmm);
}

static void query_status(struct us_vmm *vmm)
{
	if (vmm->adopted)
		us_qmp_call(vmm->qmp, on_status, vmm, "query-status", NULL);
}

void us_qemu_state_on_stop(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	vmm->running = false;
	query_status(vmm);
}

/* Also the end of INCOMING, and the end of a migration that failed late. */
void us_qemu_state_on_resume(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	vmm->running = true;
	set_state(vmm, US_VM_RUNNING);
	us_qemu_standby_recheck(vmm);
}

void us_qemu_state_set_status(struct us_vmm *vmm, const json_t *answer)
{
	vmm->state = us_qemu_decode_run_state(answer, vmm->transfer);
	vmm->running = us_qemu_decode_running(answer);
}

void us_qemu_state_forget(struct us_vmm *vmm, bool exited)
{
	vmm->running = vmm->transfer_ended = false;
	vmm->state = exited ? US_VM_GONE : US_VM_UNKNOWN;
	us_timer_stop(&vmm->recheck);
}

/* ---- Migration ---- */

static void observe_transfer(struct us_vmm *vmm, const json_t *status)
{
	enum us_transfer transfer = us_qemu_decode_transfer(json_object_get(status, "status"));
	bool is_news = vmm->transfer != transfer;

	vmm->transfer = transfer;
	/*
	 * The end of a migration may change the run state without an event. The run state is
	 * reported first: otherwise a guest that has moved would seem to be one that may get its
	 * primary back.
	 */
	if (transfer != US_TRANSFER_ACTIVE) {
		vmm->transfer_ended |= is_news;
		query_status(vmm);
	} else if (is_news) {
		us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
}

static void on_transfer(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	if (answer->r == 0 && vmm->adopted)
		observe_transfer(vmm, answer->value);
}

void us_qemu_state_on_migration(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	observe_transfer(vmm, event->data);
}

void us_qemu_state_set_transfer(struct us_vmm *vmm, const json_t *answer)
{
	vmm->transfer = us_qemu_decode_transfer(json_object_get(answer, "status"));
}

/* ---- Rechecks ---- */

static bool must_ask_transfer(const struct us_vmm *vmm)
{
	return !vmm->transfer_events && vmm->transfer == US_TRANSFER_ACTIVE;
}

void us_qemu_state_schedule(struct us_vmm *vmm)
{
	uint64_t next;

	if (!vmm->adopted)
		return;
	next = us_qemu_standby_next_recheck(vmm);
	if (must_ask_transfer(vmm) && next == UINT64_MAX)
		next = us_now_usec() + TRANSFER_RECHECK_USEC;
	if (next == UINT64_MAX)
		us_timer_stop(&vmm->recheck);
	else
		us_timer_set(&vmm->recheck, next);
}

static void on_recheck(void *userdata)
{
	struct us_vmm *vmm = userdata;

	us_qemu_standby_recheck(vmm);
	if (must_ask_transfer(vmm))
		us_qmp_call(vmm->qmp, on_transfer, vmm, "query-migrate", NULL);
	us_qemu_state_schedule(vmm);
}

int us_qemu_state_init(struct us_vmm *vmm)
{
	return us_timer_init(&vmm->recheck, vmm->loop, on_recheck, vmm);
}

void us_qemu_state_deinit(struct us_vmm *vmm)
{
	us_timer_deinit(&vmm->recheck);
}
