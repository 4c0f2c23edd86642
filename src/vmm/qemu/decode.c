/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qmp/message.h"

/* ---- Run state and migration ---- */

enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer)
{
	const char *name = json_string_value(json_object_get(status, "status"));

	if (!name)
		return US_VM_RUNNING;
	if (strcmp(name, "inmigrate") == 0)
		return US_VM_INCOMING;
	if (strcmp(name, "postmigrate") == 0)
		return US_VM_MOVED;
	/* QEMU reports the migration as completed shortly before it sets `postmigrate`. */
	if (strcmp(name, "finish-migrate") == 0 && transfer == US_TRANSFER_COMPLETED)
		return US_VM_MOVED;
	return US_VM_RUNNING;
}

bool us_qemu_decode_running(const json_t *status)
{
	return json_is_true(json_object_get(status, "running"));
}

enum us_transfer us_qemu_decode_transfer(const json_t *status)
{
	const char *name = json_string_value(status);

	if (!name)
		return US_TRANSFER_NONE;
	for (enum us_transfer transfer = 0; transfer < US_TRANSFER_N; transfer++)
		if (strcmp(name, us_transfer_name(transfer)) == 0)
			return transfer;
	return US_TRANSFER_ACTIVE;
}

void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress)
{
	const json_t *ram = json_object_get(answer, "ram");
	const json_t *downtime = json_object_get(answer, "downtime");
	const char *error = json_string_value(json_object_get(answer, "error-desc"));
	double mbps = json_number_value(json_object_get(ram, "mbps"));
	double dirty = (double)us_json_uint64(json_object_get(ram, "dirty-pages-rate")) *
		       (double)us_json_uint64(json_object_get(ram, "page-size"));

	*ret_progress = (struct us_transfer_progress){
		.transfer = us_qemu_decode_transfer(json_object_get(answer, "status")),
		.transferred_bytes = us_json_uint64(json_object_get(ram, "transferred")),
		.remaining_bytes = us_json_uint64(json_object_get(ram, "remaining")),
		.total_bytes = us_json_uint64(json_object_get(ram, "total")),
		.bytes_per_sec = mbps > 0 && mbps < 1e12 ? (uint64_t)(mbps * 1e6 / 8) : 0,
		.dirty_bytes_per_sec = dirty < 1e18 ? (uint64_t)dirty : 0,
		.downtime_msec = us_json_uint64(
			downtime ? downtime : json_object_get(answer, "expected-downtime")),
	};
	if (error)
		snprintf(ret_progress->error, sizeof(ret_progress->error), "%s", error);
}

int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size)
{
	const json_t *address = json_array_get(json_object_get(answer, "socket-address"), 0);
	const char *host = json_string_value(json_object_get(address, "host"));
	const char *port = json_string_value(json_object_get(address, "port"));
	int length;

	if (!host || !port)
		return US_REFUSED;
	length = snprintf(ret_uri, size, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host,
			  port);
	return length > 0 && (size_t)length < size ? 0 : US_REFUSED;
}

/* ---- A standby ---- */

/* virtio 1.2, section 5.1.3 */
static const uint64_t FEATURE_STANDBY = UINT64_C(1) << 62;

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* QEMU shows a bit as "NAME: description"; only the name is compared. */
static bool lists(const json_t *list, const char *name)
{
	size_t length = strlen(name), i;
	const json_t *entry;

	json_array_foreach ((json_t *)list, i, entry) {
		const char *text = json_string_value(entry);

		if (text && starts_with(text, name) && (!text[length] || text[length] == ':'))
			return true;
	}
	return false;
}

/* A QEMU whose table of names lacks the bit shows it among the unknown ones. */
static bool has_standby(const json_t *features)
{
	uint64_t unknown = us_json_uint64(json_object_get(features, "unknown-dev-features"));

	return lists(json_object_get(features, "dev-features"), "VIRTIO_NET_F_STANDBY") ||
	       (unknown & FEATURE_STANDBY);
}

void us_qemu_decode_virtio_status(const json_t *answer, struct us_virtio_status *ret_status)
{
	const json_t *statuses = json_object_get(json_object_get(answer, "status"), "statuses");
	bool driver_ok = lists(statuses, "VIRTIO_CONFIG_S_DRIVER_OK");

	*ret_status = (struct us_virtio_status){
		.offers_standby = has_standby(json_object_get(answer, "host-features")),
	};
	/* A driver that failed has negotiated nothing. A legacy driver never sets FEATURES_OK. */
	if (lists(statuses, "VIRTIO_CONFIG_S_FAILED"))
		return;
	if (!driver_ok && !lists(statuses, "VIRTIO_CONFIG_S_FEATURES_OK"))
		return;
	ret_status->driver_ok = driver_ok;
	ret_status->guest = has_standby(json_object_get(answer, "guest-features"))
				    ? US_GUEST_CAPABLE
				    : US_GUEST_LEGACY;
}

/* Finds "…,ifname=tap0,…" in one line. */
static void decode_interface(const char *line, size_t length, char ret_interface[IF_NAMESIZE])
{
	const char *name = memmem(line, length, ",ifname=", strlen(",ifname="));
	size_t size;

	if (!name)
		return;
	name += strlen(",ifname=");
	size = strcspn(name, ",\r\n");
	if (size >= IF_NAMESIZE)
		return;
	memcpy(ret_interface, name, size);
	ret_interface[size] = '\0';
}

/*
 * Each queue is a line of its own, followed by its peer:
 *     net0: index=0,type=nic,model=virtio-net-pci,macaddr=…
 *      \ n0: index=0,type=tap,ifname=tap0,script=no,downscript=no
 */
void us_qemu_decode_network(const char *text, const char *device, uint16_t *ret_queue_pairs,
			    char ret_interface[IF_NAMESIZE])
{
	size_t device_length = strlen(device), length;
	bool is_ours = false;

	*ret_queue_pairs = 0;
	ret_interface[0] = '\0';
	for (const char *line = text; *line; line += length + (line[length] == '\n')) {
		length = strcspn(line, "\n");
		if (starts_with(line, " \\ ")) {
			if (is_ours && !ret_interface[0])
				decode_interface(line, length, ret_interface);
			continue;
		}
		is_ours = length > device_length + 1 && starts_with(line, device) &&
			  starts_with(line + device_length, ": index=");
		if (is_ours && *ret_queue_pairs < UINT16_MAX)
			++*ret_queue_pairs;
	}
	if (*ret_queue_pairs == 0)
		*ret_queue_pairs = 1;
}

int us_qemu_decode_mac(const json_t *text, uint8_t ret_mac[US_MAC_BYTES])
{
	const char *mac = json_string_value(text);

	return mac && us_mac_parse(mac, ret_mac) == 0 ? 0 : US_REFUSED;
}

/* ---- Slots ---- */

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
	return json_string_value(
		json_object_get(us_json_find(properties, "type", "child<PCIE>"), "name"));
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
