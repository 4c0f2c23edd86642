/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "vmm/qemu/registers/decode-registers.h"
#include "vmm/qmp/message.h"

enum {
	/* VIRTIO_NET_F_STANDBY is bit 62 (virtio 1.2, section 5.1.3), in the second word. */
	STANDBY_SELECT = 1,
	STANDBY_BIT = 1 << (62 - 32),
	/* QEMU's choice for all virtio devices on PCI. */
	COMMON_BAR = 4,
	/* In the common configuration: driver_feature_select, the first register that is read */
	FIRST_OFFSET = 8,
	READ_BYTES = 16,
};

/* The device with this id, on this bus or behind its bridges. */
static const json_t *find_device(const json_t *devices, const char *id)
{
	const json_t *device;
	size_t i;

	json_array_foreach ((json_t *)devices, i, device) {
		const json_t *bridge = json_object_get(device, "pci_bridge");
		const char *found = json_string_value(json_object_get(device, "qdev_id"));

		if (found && strcmp(found, id) == 0)
			return device;
		device = find_device(json_object_get(bridge, "devices"), id);
		if (device)
			return device;
	}
	return NULL;
}

static const json_t *find_on_pci(const json_t *pci, const char *id)
{
	const json_t *bus, *device = NULL;
	size_t i;

	json_array_foreach ((json_t *)pci, i, bus) {
		device = find_device(json_object_get(bus, "devices"), id);
		if (device)
			break;
	}
	return device;
}

uint64_t us_qemu_decode_registers_place(const json_t *pci, const char *device)
{
	const json_t *regions = json_object_get(find_on_pci(pci, device), "regions");
	const json_t *region;
	size_t i;

	/* A BAR that the guest has not mapped, or has disabled, is at -1. */
	json_array_foreach ((json_t *)regions, i, region) {
		const char *type = json_string_value(json_object_get(region, "type"));
		const json_t *bar = json_object_get(region, "bar");

		if (type && strcmp(type, "memory") == 0 && json_is_integer(bar) &&
		    json_integer_value(bar) == COMMON_BAR)
			return us_json_uint64(json_object_get(region, "address"));
	}
	return 0;
}

void us_qemu_registers_command(uint64_t address, char ret_command[US_QEMU_MEMORY_COMMAND_SIZE])
{
	us_qemu_memory_command(address + FIRST_OFFSET, READ_BYTES, ret_command);
}

void us_qemu_decode_registers(const char *text, struct us_virtio_registers *ret_registers)
{
	uint8_t bytes[READ_BYTES];

	*ret_registers = (struct us_virtio_registers){ 0 };
	if (us_qemu_decode_memory(text, bytes, sizeof(bytes)) < 0)
		return;
	/* driver_feature_select, driver_feature, 4 bytes of others, device_status */
	ret_registers->select = us_qemu_decode_little_endian(bytes, 4);
	ret_registers->features = us_qemu_decode_little_endian(bytes + 4, 4);
	ret_registers->status = bytes[12];
}

bool us_qemu_decode_shows_standby(const struct us_virtio_registers *registers)
{
	return !(registers->status & US_VIRTIO_FEATURES_OK) || registers->select == STANDBY_SELECT;
}

enum us_guest us_qemu_decode_driver(const struct us_virtio_registers *registers,
				    bool has_negotiated, bool *ret_driver_ok)
{
	uint8_t status = registers->status;

	*ret_driver_ok = false;
	if (status & US_VIRTIO_FAILED || !(status & (US_VIRTIO_DRIVER_OK | US_VIRTIO_FEATURES_OK)))
		return US_GUEST_NONE;
	*ret_driver_ok = status & US_VIRTIO_DRIVER_OK;
	/* A driver that uses the legacy interface does not write these features. */
	if (!(status & US_VIRTIO_FEATURES_OK))
		return US_GUEST_LEGACY;
	if (us_qemu_decode_shows_standby(registers))
		has_negotiated = registers->features & STANDBY_BIT;
	return has_negotiated ? US_GUEST_CAPABLE : US_GUEST_LEGACY;
}
