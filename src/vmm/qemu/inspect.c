/* SPDX-License-Identifier: BSD-3-Clause */
/* The properties of a standby: several questions at once, one result. */
#include <stdio.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/registers/decode-registers.h"
#include "vmm/qemu/standby.h"

struct inspection {
	struct us_qemu_request request;
	struct us_vmm_standby standby;
};

/* Whether a necessary answer is there. The first failure becomes the result. */
static bool need(struct inspection *inspection, const struct us_qmp_answer *answer)
{
	us_qemu_request_note(&inspection->request, answer->r, answer->reason);
	return answer->r == 0;
}

static void answered(struct inspection *inspection)
{
	struct us_qemu_request *request = &inspection->request;
	int r = request->r;

	if (--request->unanswered > 0)
		return;
	if (us_qemu_request_is_wanted(request))
		request->done.standby(request->userdata, r, r ? &request->reason : NULL,
				      r ? NULL : &inspection->standby);
	us_qemu_request_free(request);
}

static void on_type(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	struct us_qemu_request *request = &inspection->request;
	const char *type = json_string_value(answer->value);
	/* Only on PCI the registers are where they are read. */
	bool any_bus = request->vmm->may_ask_status;
	const char *needed = any_bus ? "virtio-net" : "virtio-net-pci";
	struct us_reason reason;

	if (answer->not_found) {
		us_refuse(&reason, "the VM has no device \"%s\"", request->device);
		us_advise(&reason, "name the virtio-net device by its id=");
		us_qemu_request_note(request, US_REFUSED, &reason);
	} else if (need(inspection, answer) && (!type || strncmp(type, needed, strlen(needed)))) {
		us_refuse(&reason, "device \"%s\" is a %s", request->device,
			  type ? type : "device of unknown type");
		us_advise(&reason, any_bus ? "a standby is a virtio-net device"
					   : "with this QEMU a standby is a virtio-net-pci");
		us_qemu_request_note(request, US_REFUSED, &reason);
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
	struct us_reason reason;

	if (need(inspection, answer) &&
	    us_qemu_decode_mac(answer->value, inspection->standby.mac) != 0) {
		us_refuse(&reason, "QEMU does not tell the MAC address of device \"%s\"",
			  inspection->request.device);
		us_qemu_request_note(&inspection->request, US_REFUSED, &reason);
	}
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

	us_qemu_decode_network(text ? text : "", inspection->request.device,
			       &inspection->standby.queue_pairs, inspection->standby.interface);
	answered(inspection);
}

static void ask_property(struct inspection *inspection, us_qmp_answer_fn answer,
			 const char *property)
{
	struct us_qemu_request *request = &inspection->request;

	us_qemu_request_sent(request, us_qemu_get_property(request->vmm, request->device, property,
							   answer, inspection));
}

/* Sends a command with one argument, a text. */
static void ask(struct inspection *inspection, us_qmp_answer_fn answer, const char *command,
		const char *argument, const char *text)
{
	us_qemu_request_sent(&inspection->request,
			     us_qmp_call(inspection->request.vmm->qmp, answer, inspection, command,
					 "{s:s}", argument, text));
}

static void on_registers(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	struct us_virtio_registers registers;

	us_qemu_decode_registers(json_string_value(answer->value), &registers);
	if (need(inspection, answer))
		inspection->standby.guest = us_qemu_decode_driver(
			&registers,
			us_qemu_standby_has_negotiated(inspection->request.vmm,
						       inspection->request.device),
			&inspection->standby.driver_ok);
	answered(inspection);
}

/* A driver that has not mapped the registers cannot run: US_GUEST_NONE. */
static void on_pci(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	uint64_t address =
		us_qemu_decode_registers_place(answer->value, inspection->request.device);
	char command[US_QEMU_MEMORY_COMMAND_SIZE];

	if (need(inspection, answer) && address) {
		us_qemu_registers_command(address, command);
		ask(inspection, on_registers, "human-monitor-command", "command-line", command);
	}
	answered(inspection);
}

static void on_failover(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;

	if (need(inspection, answer))
		inspection->standby.offers_standby = json_is_true(answer->value);
	answered(inspection);
}

/* From the XML of the domain: everything but its driver. */
static void on_domain(void *userdata, const struct us_qmp_answer *answer)
{
	struct inspection *inspection = userdata;
	struct us_vmm_standby *standby = &inspection->standby;
	const json_t *value = answer->value;
	const char *interface = json_string_value(json_object_get(value, "interface"));
	const char *bus = json_string_value(json_object_get(value, "bus"));
	struct us_reason reason;

	us_refuse(&reason, "libvirt does not tell the MAC address of interface \"%s\"",
		  inspection->request.device);
	if (need(inspection, answer) &&
	    us_qemu_decode_mac(json_object_get(value, "mac"), standby->mac) != 0)
		us_qemu_request_note(&inspection->request, US_REFUSED, &reason);
	standby->mtu = us_json_uint64(json_object_get(value, "mtu"));
	standby->queue_pairs = us_json_uint64(json_object_get(value, "queues"));
	standby->offers_standby = json_is_true(json_object_get(value, "failover"));
	snprintf(standby->interface, sizeof(standby->interface), "%s", interface ? interface : "");
	snprintf(standby->bus, sizeof(standby->bus), "%s", bus ? bus : "");
	answered(inspection);
}

static void ask_virtio(struct inspection *inspection)
{
	struct us_qemu_request *request = &inspection->request;
	char path[US_DEVICE_NAME_MAX + 64];

	snprintf(path, sizeof(path), "/machine/peripheral/%s/virtio-backend", request->device);
	if (request->vmm->may_ask_status) {
		ask(inspection, on_virtio, "x-query-virtio-status", "path", path);
		return;
	}
	ask_property(inspection, on_failover, "failover");
	us_qemu_request_sent(request,
			     us_qmp_call(request->vmm->qmp, on_pci, inspection, "query-pci", NULL));
}

int us_vmm_inspect(struct us_vmm *vmm, const char *device, us_vmm_standby_fn done, void *userdata)
{
	int r;
	struct inspection *inspection =
		us_qemu_request_new(vmm, device, sizeof(*inspection), done, userdata, &r);

	if (!inspection)
		return r;
	if (vmm->domain) {
		/* libvirt passes taps as descriptors, so QEMU does not know their names. */
		ask(inspection, on_domain, "understudy-inspect", "id", device);
		if (vmm->state != US_VM_INCOMING)
			ask_virtio(inspection);
		return us_qemu_request_asked(&inspection->request);
	}
	ask_property(inspection, on_type, "type");
	ask_virtio(inspection);
	ask_property(inspection, on_mac, "mac");
	ask_property(inspection, on_mtu, "host_mtu");
	ask_property(inspection, on_bus, "parent_bus");
	ask(inspection, on_network, "human-monitor-command", "command-line", "info network");
	return us_qemu_request_asked(&inspection->request);
}
