/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decodes QEMU's answers.
 *
 * All decoders are pure: JSON in, structs out. They trust nothing: a missing member, or one of
 * another type, decodes to the cautious value.
 */
#pragma once

#include "vmm/vmm.h"

/* ---- query-status and query-migrate: run state and migration ---- */

/*
 * The state of a VM by QEMU's RunState: `inmigrate` is INCOMING, `postmigrate` is MOVED, any other
 * is RUNNING. Whatever stopped the guest (also `shutdown` under -no-shutdown), it can only continue
 * here. A source in `finish-migrate` runs here, unless @transfer is COMPLETED.
 */
enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer);

/* Whether the guest's CPUs run. */
bool us_qemu_decode_running(const json_t *status);

/*
 * A MigrationStatus, reduced. NONE if @status is NULL or no string. An unknown one is ACTIVE, so
 * that no device is plugged.
 */
enum us_transfer us_qemu_decode_transfer(const json_t *status);
void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress);

/* The address of an incoming migration: "tcp:[fd00::1]:40001". US_REFUSED if there is none. */
int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size);

/* ---- A standby: driver, tap and queues, MAC address ---- */

struct us_virtio_status {
	enum us_guest guest;
	bool driver_ok;
	bool offers_standby;
};

/* The answer to x-query-virtio-status. */
void us_qemu_decode_virtio_status(const json_t *answer, struct us_virtio_status *ret_status);

/*
 * Finds @device in the text of HMP's "info network", the only command that tells queues and taps:
 * the number of its queue pairs (at least 1), and the interface of the tap behind it ("" if it is
 * no tap, or QEMU got the tap as a descriptor).
 */
void us_qemu_decode_network(const char *text, const char *device, uint16_t *ret_queue_pairs,
			    char ret_interface[IF_NAMESIZE]);

/* "52:54:00:12:34:56"; US_REFUSED for anything else. */
int us_qemu_decode_mac(const json_t *text, uint8_t ret_mac[US_MAC_BYTES]);

/* ---- Slots: QEMU's object tree (qom-list) and query-pci ---- */

/* Whether a qom-list entry is a port that may support hot-plug, by its type. */
bool us_qemu_decode_is_port(const json_t *entry);

/* The name of the bus among a port's own properties, or NULL. */
const char *us_qemu_decode_port_bus(const json_t *properties);

/* Whether a bus has devices, by its properties. */
bool us_qemu_decode_bus_is_taken(const json_t *properties);

/* Whether the root bus of query-pci has a slot without a device. */
bool us_qemu_decode_has_free_slot(const json_t *pci);
