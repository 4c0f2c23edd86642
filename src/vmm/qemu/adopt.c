/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "vmm/qemu/adopt.h"
#include "vmm/qemu/connection.h"
#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"
#include "vmm/qemu/standby.h"
#include "vmm/qemu/state.h"

static void adopt(struct us_vmm *vmm, const json_t *status)
{
	us_qemu_connection_adopted(vmm);
	us_qemu_state_set_status(vmm, status);
	us_qemu_standby_forget(vmm);
	us_qemu_primary_forget(vmm);
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_ADOPTED });
	if (!vmm->freed && vmm->adopted) {
		us_qemu_standby_recheck(vmm);
		us_qemu_state_schedule(vmm);
	}
}

static void on_events_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	/* QEMU refuses while a migration runs. */
	vmm->transfer_events = answer->r == 0;
}

static void on_transfer(void *userdata, const struct us_qmp_answer *answer)
{
	us_qemu_state_set_transfer(userdata, answer->value);
}

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (!vmm->freed && answer->r == 0)
		adopt(vmm, answer->value);
	else if (!vmm->freed && answer->r != -ECONNRESET) /* the connection's end is reported */
		us_qemu_connection_lose(vmm, -EPROTO, answer->reason);
	us_qemu_unref(vmm);
}

static int set_events(struct us_vmm *vmm)
{
	return us_qmp_call(vmm->qmp, on_events_set, vmm, "migrate-set-capabilities",
			   "{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);
}

static void ask(struct us_vmm *vmm)
{
	struct us_reason reason;

	if (set_events(vmm) == 0 &&
	    us_qmp_call(vmm->qmp, on_transfer, vmm, "query-migrate", NULL) == 0 &&
	    us_qmp_call(vmm->qmp, on_status, vmm, "query-status", NULL) == 0)
		return;
	us_refuse(&reason, "%s", us_strerror(ENOMEM));
	us_qemu_connection_lose(vmm, -ENOMEM, &reason);
}

void us_qemu_adopt(void *userdata, const struct us_qmp_version *version)
{
	struct us_vmm *vmm = userdata;
	struct us_reason reason;

	us_qemu_ref(vmm);
	snprintf(vmm->version, sizeof(vmm->version), "%u.%u.%u", version->major, version->minor,
		 version->micro);
	/* registers/registers.h and last-frame/last-frame.h say why. */
	vmm->may_ask_status = us_qmp_version_is_older(version, 10, 1);
	vmm->may_ask_queues = us_qmp_version_is_older(version, 11, 2);
	if (us_qmp_version_is_older(version, 7, 2)) {
		us_refuse(&reason, "QEMU %s is too old: version 7.2 or later is needed",
			  vmm->version);
		us_advise(&reason, "start the VM with one");
		us_qemu_connection_refuse(vmm, &reason);
	} else {
		ask(vmm);
	}
	us_qemu_unref(vmm);
}
