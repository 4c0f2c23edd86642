/* SPDX-License-Identifier: BSD-3-Clause */
/* A migration at its source: starting, cancelling, and its progress. */
#include "vmm/qemu/decode.h"
#include "vmm/qemu/domain.h"
#include "vmm/qemu/qemu-private.h"

static void on_progress(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	struct us_transfer_progress progress;

	us_qemu_decode_progress(answer->value, &progress);
	if (us_qemu_request_is_wanted(request))
		request->done.progress(request->userdata, answer->r, answer->reason,
				       answer->r ? NULL : &progress);
	us_qemu_request_free(request);
}

int us_vmm_query_transfer(struct us_vmm *vmm, us_vmm_progress_fn done, void *userdata)
{
	return us_qemu_request_send(vmm, done, userdata, on_progress, "query-migrate", NULL, NULL);
}

int us_vmm_start_transfer(struct us_vmm *vmm, const struct us_transfer_target *target,
			  us_vmm_done_fn done, void *userdata)
{
	if (vmm->domain)
		return us_qemu_domain_start_transfer(vmm, target, done, userdata);
	return us_qemu_request_send(vmm, done, userdata, us_qemu_request_answer, "migrate", "uri",
				    target->uri);
}

void us_vmm_finish_transfer(struct us_vmm *vmm)
{
	if (vmm->domain && vmm->qmp && vmm->adopted)
		us_qmp_call(vmm->qmp, NULL, vmm, "understudy-leave", NULL);
}

int us_vmm_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	if (vmm->domain)
		return us_qemu_domain_cancel_transfer(vmm, done, userdata);
	return us_qemu_request_send(vmm, done, userdata, us_qemu_request_answer, "migrate_cancel",
				    NULL, NULL);
}
