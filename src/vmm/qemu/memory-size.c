/* SPDX-License-Identifier: BSD-3-Clause */
/* The size of the guest's memory, all of which is locked for a VFIO device. */
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
	return us_qemu_request_send(vmm, done, userdata, on_memory, "query-memory-size-summary",
				    NULL, NULL);
}
