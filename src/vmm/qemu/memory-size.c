/* SPDX-License-Identifier: BSD-3-Clause */
/* How much memory a guest has: so much is locked for its VFIO devices. */
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

static void on_memory(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_qemu_request *request = userdata;
	json_int_t bytes = json_integer_value(json_object_get(answer->value, "base-memory")) +
			   json_integer_value(json_object_get(answer->value, "plugged-memory"));

	if (us_qemu_request_is_wanted(request))
		request->done.memory(request->userdata, answer->r, answer->reason,
				     bytes > 0 ? bytes : 0);
	us_qemu_request_free(request);
}

int us_vmm_query_memory(struct us_vmm *vmm, us_vmm_memory_fn done, void *userdata)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request, us_qmp_call(vmm->qmp, on_memory, request,
							 "query-memory-size-summary", NULL));
}
