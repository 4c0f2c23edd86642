/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "util/cleanup.h"
#include "vmm/qemu/decode-slot.h"
#include "vmm/qmp/message.h"

bool us_qemu_decode_is_port(const json_t *entry)
{
	/* Each has one slot, on a bus that has the port's id as its name. */
	static const char *const types[] = {
		"child<pcie-root-port>",
		"child<ioh3420>",
		"child<xio3130-downstream>",
	};
	const char *type = json_string_value(json_object_get(entry, "type"));

	for (size_t i = 0; type && i < US_ARRAY_LENGTH(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

const char *us_qemu_decode_port_bus(const json_t *properties)
{
	const json_t *property;
	size_t i;

	json_array_foreach ((json_t *)properties, i, property) {
		const char *type = json_string_value(json_object_get(property, "type"));

		if (type && strcmp(type, "child<PCIE>") == 0)
			return json_string_value(json_object_get(property, "name"));
	}
	return NULL;
}

bool us_qemu_decode_bus_is_taken(const json_t *properties)
{
	const json_t *property;
	size_t i;

	json_array_foreach ((json_t *)properties, i, property) {
		const char *name = json_string_value(json_object_get(property, "name"));

		if (name && strncmp(name, "child[", 6) == 0)
			return true;
	}
	return false;
}

bool us_qemu_decode_has_free_slot(const json_t *pci)
{
	const json_t *devices = json_object_get(json_array_get(pci, 0), "devices");
	const json_t *device;
	uint32_t taken = 0;
	size_t i;

	json_array_foreach ((json_t *)devices, i, device)
		taken |= UINT32_C(1) << (us_json_uint64(json_object_get(device, "slot")) % 32);
	return json_is_array(devices) && taken != UINT32_MAX;
}
