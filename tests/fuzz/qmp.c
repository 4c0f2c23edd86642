/* SPDX-License-Identifier: BSD-3-Clause */
/* A line of a monitor: it is read, and every decoder gets its value. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode-settings.h"
#include "vmm/qemu/decode.h"
#include "vmm/qemu/queue.h"
#include "vmm/qemu/registers/decode-registers.h"
#include "vmm/qmp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_settings(const json_t *value)
{
	json_t *settings = json_pack("{s:s, s:s, s:s}", "multifd", "on", "max-bandwidth", "1G",
				     "tls-creds", "t0");
	json_t *capabilities, *parameters;
	struct us_reason reason;
	int r = us_qemu_decode_settings(settings, value, value, &capabilities, &parameters,
					&reason);

	assert(r == 0 || r == US_REFUSED);
	assert((r == 0) == (capabilities != NULL) && (r == 0) == (parameters != NULL));
	json_decref(capabilities);
	json_decref(parameters);
	/* The peer's value as settings. */
	if (us_qemu_decode_settings(value, value, value, &capabilities, &parameters, &reason) ==
	    0) {
		json_decref(capabilities);
		json_decref(parameters);
	}
	json_decref(settings);
}

static void decode_network(const json_t *value)
{
	const char *text = json_string_value(value);
	char interface[IF_NAMESIZE];
	uint16_t queue_pairs;

	if (!text)
		return;
	us_qemu_decode_network(text, "net0", &queue_pairs, interface);
	assert(queue_pairs >= 1 && strlen(interface) < IF_NAMESIZE);
}

static void decode_registers(const json_t *value)
{
	struct us_virtio_registers registers;
	enum us_guest guest;
	bool driver_ok;

	us_qemu_decode_registers_place(value, "net0");
	us_qemu_decode_registers(json_string_value(value), &registers);
	guest = us_qemu_decode_driver(&registers, true, &driver_ok);
	assert(!driver_ok || guest != US_GUEST_NONE);
	assert(guest != US_GUEST_CAPABLE || registers.status & US_VIRTIO_FEATURES_OK);
}

static void decode_queue(const json_t *value)
{
	struct us_queue_status status;
	uint64_t address;

	if (us_qemu_decode_queue_status(value, &status) == 0)
		assert(status.descriptors && status.used && status.size);
	if (us_qemu_decode_host_address(json_string_value(value), &address) == 0)
		assert(address);
}

static void decode_all(const json_t *value)
{
	struct us_transfer_progress progress;
	struct us_virtio_status status;
	uint8_t mac[US_MAC_BYTES];
	char uri[128];

	us_qemu_decode_virtio_status(value, &status);
	assert(!status.driver_ok || status.guest != US_GUEST_NONE);
	us_qemu_decode_progress(value, &progress);
	us_qemu_decode_run_state(value, progress.transfer);
	us_qemu_decode_running(value);
	us_qemu_decode_mac(value, mac);
	us_qemu_decode_is_port(value);
	us_qemu_decode_is_port(json_array_get(value, 0));
	us_qemu_decode_port_bus(value);
	us_qemu_decode_bus_is_taken(value);
	us_qemu_decode_has_free_slot(value);
	us_qemu_decode_listen_uri(value, uri, sizeof(uri));
	decode_network(value);
	decode_registers(value);
	decode_queue(value);
	decode_settings(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct us_qmp_message message;

	us_qmp_message_init(&message, (const char *)data, size);
	assert(message.kind != US_QMP_ERROR || (message.class && message.words));
	assert(message.kind != US_QMP_EVENT || message.name);
	if (message.kind != US_QMP_INVALID)
		decode_all(message.value);
	us_qmp_message_deinit(&message);
	return 0;
}
