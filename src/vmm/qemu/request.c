/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/qemu-private.h"

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
		vmm->report(vmm->userdata, &event);
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

void *us_qemu_request_new(struct us_vmm *vmm, const char *id, size_t size, union us_qemu_done done,
			  void *userdata, int *ret_r)
{
	bool is_possible = !id || us_qemu_is_device_id(id);
	struct us_qemu_request *request = is_possible && vmm->adopted ? calloc(1, size) : NULL;

	*ret_r = !is_possible ? -EINVAL : !vmm->adopted ? -ENOTCONN : -ENOMEM;
	if (!request)
		return NULL;
	*request = (struct us_qemu_request){ .vmm = vmm, .done = done, .userdata = userdata };
	strcpy(request->device, id ? id : "");
	us_qemu_ref(vmm);
	return request;
}

bool us_qemu_request_is_wanted(const struct us_qemu_request *request)
{
	return !request->vmm->freed;
}

void us_qemu_request_free(struct us_qemu_request *request)
{
	struct us_vmm *vmm = request->vmm;

	if (request->release)
		request->release(request);
	free(request);
	us_qemu_unref(vmm);
}

int us_qemu_request_made(struct us_qemu_request *request, int r)
{
	if (r < 0)
		us_qemu_request_free(request);
	return r;
}

void us_qemu_request_note(struct us_qemu_request *request, int r, const struct us_reason *reason)
{
	if (r == 0 || request->r)
		return;
	request->r = r;
	if (reason)
		request->reason = *reason;
	else
		us_refuse(&request->reason, "%s", us_strerror(r));
}

void us_qemu_request_sent(struct us_qemu_request *request, int r)
{
	us_qemu_request_note(request, r, NULL);
	request->unanswered += r == 0;
}

int us_qemu_request_asked(struct us_qemu_request *request)
{
	int r = request->r;

	if (request->unanswered > 0)
		return 0;
	us_qemu_request_free(request);
	return r;
}

int us_qemu_request_send(struct us_vmm *vmm, union us_qemu_done done, void *userdata,
			 us_qmp_answer_fn answer, const char *command, const char *name,
			 const char *text)
{
	int r;
	struct us_qemu_request *request =
		us_qemu_request_new(vmm, NULL, sizeof(*request), done, userdata, &r);

	if (!request)
		return r;
	return us_qemu_request_made(request, us_qmp_call(vmm->qmp, answer, request, command,
							 name ? "{s:s}" : NULL, name, text));
}

int us_qemu_request_property(struct us_vmm *vmm, const char *id, const char *property,
			     union us_qemu_done done, void *userdata, us_qmp_answer_fn answer)
{
	int r;
	struct us_qemu_request *request =
		us_qemu_request_new(vmm, id, sizeof(*request), done, userdata, &r);

	if (!request)
		return r;
	return us_qemu_request_made(request,
				    us_qemu_get_property(vmm, id, property, answer, request));
}

void us_qemu_request_report(struct us_qemu_request *request, int r, const struct us_reason *reason)
{
	us_qemu_request_note(request, r, reason);
	if (us_qemu_request_is_wanted(request) && request->done.plain)
		request->done.plain(request->userdata, request->r,
				    request->r ? &request->reason : NULL);
}

void us_qemu_request_finish(struct us_qemu_request *request, int r, const struct us_reason *reason)
{
	us_qemu_request_report(request, r, reason);
	us_qemu_request_free(request);
}

void us_qemu_request_answer(void *userdata, const struct us_qmp_answer *answer)
{
	us_qemu_request_finish(userdata, answer->r, answer->reason);
}
