/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/request.h"

void us_qemu_ref(struct us_vmm *vmm)
{
	vmm->references++;
}

void us_qemu_unref(struct us_vmm *vmm)
{
	if (--vmm->references == 0)
		vmm->destroy(vmm);
}

void us_qemu_emit(struct us_vmm *vmm, struct us_vmm_event event)
{
	event.state = vmm->state;
	event.transfer = vmm->transfer;
	if (!vmm->freed)
		vmm->handler->event(vmm->userdata, &event);
}

int us_qemu_get_property(struct us_vmm *vmm, const char *device, const char *property,
			 us_qmp_answer_fn answer, void *userdata)
{
	char path[US_DEVICE_NAME_MAX + 32];

	snprintf(path, sizeof(path), "/machine/peripheral/%s", device);
	return us_qmp_call(vmm->qmp, answer, userdata, "qom-get", "{s:s, s:s}", "path", path,
			   "property", property);
}

/* A slash would make it a path to another object than the device. */
bool us_qemu_is_device_id(const char *id)
{
	return *id && strlen(id) < US_DEVICE_NAME_MAX && !strchr(id, '/');
}

int us_qemu_request_begin(struct us_vmm *vmm, const char *id, union us_qemu_done done,
			  void *userdata, struct us_qemu_request **ret_request)
{
	if (id && !us_qemu_is_device_id(id))
		return -EINVAL;
	if (!vmm->adopted)
		return -ENOTCONN;
	*ret_request = malloc(sizeof(**ret_request));
	if (!*ret_request)
		return -ENOMEM;
	**ret_request = (struct us_qemu_request){ vmm, done, userdata };
	us_qemu_ref(vmm);
	return 0;
}

bool us_qemu_request_is_wanted(const struct us_qemu_request *request)
{
	return !request->vmm->freed;
}

void us_qemu_request_free(struct us_qemu_request *request)
{
	struct us_vmm *vmm = request->vmm;

	free(request);
	us_qemu_unref(vmm);
}

int us_qemu_request_made(struct us_qemu_request *request, int r)
{
	if (r < 0)
		us_qemu_request_free(request);
	return r;
}

int us_qemu_request_send(struct us_vmm *vmm, union us_qemu_done done, void *userdata,
			 us_qmp_answer_fn answer, const char *command, const char *name,
			 const char *text)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, NULL, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request, us_qmp_call(vmm->qmp, answer, request, command,
							 name ? "{s:s}" : NULL, name, text));
}

int us_qemu_request_property(struct us_vmm *vmm, const char *id, const char *property,
			     union us_qemu_done done, void *userdata, us_qmp_answer_fn answer)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, id, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request,
				    us_qemu_get_property(vmm, id, property, answer, request));
}

void us_qemu_request_finish(struct us_qemu_request *request, int r, const struct us_reason *reason)
{
	struct us_reason words;

	if (r != 0 && !reason) {
		us_refuse(&words, "%s", us_strerror(r));
		reason = &words;
	}
	if (us_qemu_request_is_wanted(request) && request->done.plain)
		request->done.plain(request->userdata, r, r == 0 ? NULL : reason);
	us_qemu_request_free(request);
}

void us_qemu_request_answer(void *userdata, const struct us_qmp_answer *answer)
{
	us_qemu_request_finish(userdata, answer->r, answer->reason);
}
