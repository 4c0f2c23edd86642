/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about a standby: its properties (several at once, one result) and its last frame. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode-standby.h"
#include "vmm/qemu/last-frame/last-frame.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/registers/registers.h"
#include "vmm/qemu/request.h"
#include "vmm/qemu/standby.h"
#include "vmm/qmp/message.h"

struct inspection {
	struct us_qemu_request *request;
	struct us_vmm *vmm;
	unsigned unanswered;
	int r;
	struct us_reason reason;
	struct us_vmm_standby standby;
	char device[US_DEVICE_NAME_MAX];
};

/* Whether a necessary answer is there. The first failure becomes the result. */
static bool need(struct inspection *inspection, const struct us_qmp_answer *answer)
{
	if (answer->r == 0 || inspection->r)
		return answer->r == 0;
	inspection->r = answer->r;
	inspection->reason = *answer->reason;
	return false;
}

static void answered(struct inspection *inspection)
{
	struct us_qemu_request *request = inspection->request;
	int r = inspection->r;

	if (--inspection->unanswered > 0)
		return;
	if (r < 0 && !inspection->reason.text[0])
		us_refuse(&inspection->reason, "%s", us_strerror(r));
	if (us_qemu_request_is_wanted(request))
		request->done.standby(request->userdata, r, r ? &inspection->reason : NULL,
				      r ? NULL : &inspection->standby);
	us_qemu_request_free(request);
	free(inspection);
}

static int refuse_type(struct inspection *inspection, const char *type)
{
	us_refuse(&inspection->reason, "device \"%s\" is a %s", inspection->device, type);
	return us_advise(&inspection->reason, inspection->vmm->may_ask_status
						      ? "a standby is a virtio-net device"
						      : "with this QEMU a standby is a "
							"virtio-net-pci");
}

static void on_type(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	const char *type = json_string_value(answer->value);
	/* Only on PCI the registers are where they are read. */
	const char *needed = inspection->vmm->may_ask_status ? "virtio-net" : "virtio-net-pci";

	if (answer->not_found) {
		us_refuse(&inspection->reason, "the VM has no device \"%s\"", inspection->device);
		inspection->r =
			us_advise(&inspection->reason, "name the virtio-net device by its id=");
	} else if (need(inspection, answer) && (!type || strncmp(type, needed, strlen(needed)))) {
		inspection->r = refuse_type(inspection, type ? type : "device of unknown type");
	}
	answered(inspection);
}

static void on_virtio(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	struct us_virtio_status status;

	if (need(inspection, answer)) {
		us_qemu_decode_virtio_status(answer->value, &status);
		inspection->standby.offers_standby = status.offers_standby;
		inspection->standby.guest = status.guest;
		inspection->standby.driver_ok = status.driver_ok;
	}
	answered(inspection);
}

static void on_mac(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;

	if (need(inspection, answer) &&
	    us_qemu_decode_mac(answer->value, inspection->standby.mac) != 0)
		inspection->r = us_refuse(&inspection->reason,
					  "QEMU does not tell the MAC address of device \"%s\"",
					  inspection->device);
	answered(inspection);
}

static void on_mtu(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	uint64_t mtu = us_json_uint64(answer->value);

	inspection->standby.mtu = mtu <= UINT16_MAX ? mtu : 0;
	answered(inspection);
}

static void on_bus(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	const char *path = json_string_value(answer->value);
	const char *bus = path ? strrchr(path, '/') : NULL;

	if (bus)
		snprintf(inspection->standby.bus, sizeof(inspection->standby.bus), "%s", bus + 1);
	answered(inspection);
}

static void on_network(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	const char *text = json_string_value(answer->value);

	us_qemu_decode_network(text ? text : "", inspection->device,
			       &inspection->standby.queue_pairs, inspection->standby.interface);
	answered(inspection);
}

/* Counts a question that was sent. A failure to send ends the inspection with the last answer. */
static void count_sent(struct inspection *inspection, int r)
{
	if (r < 0)
		inspection->r = r;
	else
		inspection->unanswered++;
}

static void ask_property(struct inspection *inspection, us_qmp_answer_fn answer,
			 const char *property)
{
	count_sent(inspection, us_qemu_get_property(inspection->vmm, inspection->device, property,
						    answer, inspection));
}

/* Sends a command with one argument, a text. */
static void ask(struct inspection *inspection, us_qmp_answer_fn answer, const char *command,
		const char *argument, const char *text)
{
	count_sent(inspection, us_qmp_call(inspection->vmm->qmp, answer, inspection, command,
					   "{s:s}", argument, text));
}

static void on_registers(void *userdata, const struct us_qmp_answer *failure,
			 const struct us_virtio_registers *registers)
{
	struct inspection *inspection = userdata;

	if (!failure || need(inspection, failure))
		inspection->standby.guest = us_qemu_decode_driver(
			registers,
			us_qemu_standby_has_negotiated(inspection->vmm, inspection->device),
			&inspection->standby.driver_ok);
	answered(inspection);
}

static void on_failover(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;

	if (need(inspection, answer))
		inspection->standby.offers_standby = json_is_true(answer->value);
	answered(inspection);
}

static void ask_virtio(struct inspection *inspection)
{
	char path[US_DEVICE_NAME_MAX + 64];

	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", inspection->device);
	if (inspection->vmm->may_ask_status) {
		ask(inspection, on_virtio, "x-query-virtio-status", "path", path);
		return;
	}
	ask_property(inspection, on_failover, "failover");
	count_sent(inspection, us_qemu_registers_read(inspection->vmm->qmp, inspection->device,
						      on_registers, inspection));
}

int us_vmm_inspect(struct us_vmm *vmm, const char *device, us_vmm_standby_fn done, void *userdata)
{
	struct us_qemu_request *request;
	struct inspection *inspection;
	int r = us_qemu_request_begin(vmm, device, done, userdata, &request);

	if (r < 0)
		return r;
	inspection = calloc(1, sizeof(*inspection));
	if (!inspection)
		return us_qemu_request_made(request, -ENOMEM);
	inspection->request = request;
	inspection->vmm = vmm;
	strcpy(inspection->device, device);

	ask_property(inspection, on_type, "type");
	ask_virtio(inspection);
	ask_property(inspection, on_mac, "mac");
	ask_property(inspection, on_mtu, "host_mtu");
	ask_property(inspection, on_bus, "parent_bus");
	ask(inspection, on_network, "human-monitor-command", "command-line", "info network");
	if (inspection->unanswered > 0)
		return 0;
	r = inspection->r;
	free(inspection);
	return us_qemu_request_made(request, r);
}

/* ---- The last frame that the guest received ---- */

static void on_last_frame(void *userdata, const struct us_last_frame *frame)
{
	struct us_qemu_request *request = userdata;

	if (us_qemu_request_is_wanted(request))
		request->done.last_frame(request->userdata, frame);
	us_qemu_request_free(request);
}

int us_vmm_query_last_frame(struct us_vmm *vmm, const char *device, unsigned queue_pair,
			    us_vmm_last_frame_fn done, void *userdata)
{
	struct us_qemu_request *request;
	int r = us_qemu_request_begin(vmm, device, done, userdata, &request);

	if (r < 0)
		return r;
	return us_qemu_request_made(request,
				    vmm->may_ask_queues
					    ? us_qemu_last_frame_query(vmm->qmp, device, queue_pair,
								       on_last_frame, request)
					    : -EOPNOTSUPP);
}
