/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "vmm/qemu/domain.h"

/* ---- The process ---- */

static void on_process(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	vmm->pid = (int)us_json_uint64(json_object_get(answer->value, "pid"));
	us_close(vmm->pidfd);
	vmm->pidfd = vmm->pid > 0 ? (int)syscall(SYS_pidfd_open, vmm->pid, 0) : -1;
}

void us_qemu_domain_query_process(struct us_vmm *vmm)
{
	us_qmp_call(vmm->qmp, on_process, vmm, "understudy-process", NULL);
}

/* ---- Settings ---- */

struct configuration {
	struct us_qemu_request request;
	us_vmm_settings_fn before;
	json_t *settings;
};

static void release_configuration(struct us_qemu_request *request)
{
	json_decref(US_CONTAINER_OF(request, struct configuration, request)->settings);
}

static void on_checked(void *userdata, const struct us_qmp_answer *answer)
{
	struct configuration *configuration = userdata;
	struct us_qemu_request *request = &configuration->request;
	struct us_vmm *vmm = request->vmm;

	if (answer->r == 0 && us_qemu_request_is_wanted(request)) {
		json_decref(vmm->transfer_settings);
		vmm->transfer_settings = US_STEAL(configuration->settings);
		if (configuration->before)
			configuration->before(
				request->userdata, NULL,
				json_is_true(json_object_get(answer->value, "encrypted")));
	}
	us_qemu_request_finish(request, answer->r, answer->reason);
}

int us_qemu_domain_configure(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			     us_vmm_done_fn done, void *userdata)
{
	int r;
	struct configuration *configuration =
		us_qemu_request_new(vmm, NULL, sizeof(*configuration), done, userdata, &r);

	if (!configuration)
		return r;
	configuration->request.release = release_configuration;
	configuration->before = before;
	configuration->settings = settings ? json_deep_copy(settings) : json_object();
	r = us_qmp_call(vmm->qmp, on_checked, configuration, "understudy-check-settings", "{s:O}",
			"settings", configuration->settings);
	return us_qemu_request_made(&configuration->request, r);
}

/* ---- Migration ---- */

/* "tcp:ADDRESS", as the destination's daemon sends it, is "tcp://ADDRESS" for libvirt. */
static void write_address(const char *uri, char *buffer, size_t size)
{
	snprintf(buffer, size, "tcp://%s",
		 strncmp(uri, "tcp:", strlen("tcp:")) == 0 ? uri + strlen("tcp:") : uri);
}

int us_qemu_domain_start_transfer(struct us_vmm *vmm, const struct us_transfer_target *target,
				  us_vmm_done_fn done, void *userdata)
{
	char address[256];
	int r;
	struct us_qemu_request *request =
		us_qemu_request_new(vmm, NULL, sizeof(*request), done, userdata, &r);

	if (!request)
		return r;
	write_address(target->uri, address, sizeof(address));
	r = us_qmp_call(vmm->qmp, us_qemu_request_answer, request, "understudy-migrate",
			"{s:s, s:s, s:O*}", "uri", target->libvirt, "address", address, "settings",
			vmm->transfer_settings);
	return us_qemu_request_made(request, r);
}

int us_qemu_domain_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata)
{
	return us_qemu_request_send(vmm, done, userdata, us_qemu_request_answer, "understudy-abort",
				    NULL, NULL);
}
