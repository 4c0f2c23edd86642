/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "vmm/qemu/decode-standby.h"
#include "vmm/qmp/message.h"

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
