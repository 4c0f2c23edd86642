/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What QEMU's answers mean. Pure: JSON in, our structs out. Everything is read defensively; an
 * answer that lacks a member, or has another type there, decodes to the cautious value.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "understudy/pair.h"
#include "util/error.h"
#include "vmm/vmm.h"

/* ---- Run state (query-status) ---- */

/*
 * A RunState as we see it. `inmigrate` is INCOMING, `postmigrate` MOVED, all others RUNNING:
 * whatever stopped the guest (also `shutdown` under -no-shutdown), it goes on here if anywhere.
 * A source in `finish-migrate` still runs here, unless @transfer says that it is through.
 */
enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer);

/* Whether the guest's CPUs run right now. */
bool us_qemu_decode_running(const json_t *status);

/* ---- virtio (x-query-virtio-status) ---- */

struct us_virtio_status {
	enum us_guest guest;
	bool driver_ok;
	bool offers_standby;
	bool is_net;
};
void us_qemu_decode_virtio_status(const json_t *answer, struct us_virtio_status *ret_status);

/* ---- virtio, by the registers of its PCI function (query-pci, HMP "xp"; see registers.h) ---- */

enum {
	US_REGISTERS_OFFSET = 8, /* of the first one that is read, in the common configuration */
	US_REGISTERS_BYTES = 16,
	/* device_status (virtio 1.2, section 2.1) */
	US_VIRTIO_DRIVER_OK = 4,
	US_VIRTIO_FEATURES_OK = 8,
	US_VIRTIO_FAILED = 128,
};

struct us_virtio_registers {
	uint32_t select; /* driver_feature_select: which 32 bits `features` are */
	uint32_t features;
	uint8_t status; /* device_status; 0: no driver */
};

/* Where the common configuration of @device is in the guest's physical memory; 0: nowhere. */
uint64_t us_qemu_decode_registers_place(const json_t *pci, const char *device);

/* All 0 for what is no memory. @text may be NULL. */
void us_qemu_decode_registers(const char *text, struct us_virtio_registers *ret_registers);

/*
 * Whether they show what the driver negotiated. One that left other features selected than those
 * that have STANDBY (Linux since 6.17 writes 128 bits) does not: only QEMU's event tells.
 */
bool us_qemu_decode_shows_standby(const struct us_virtio_registers *registers);

/* @negotiated counts where the registers do not show it. Fills `guest` and `driver_ok`. */
void us_qemu_decode_driver(const struct us_virtio_registers *registers, bool negotiated,
			   struct us_virtio_status *ret_status);

/* A virtqueue (x-query-virtio-queue-status): where its parts are in the guest's memory. */
struct us_queue_status {
	uint64_t descriptors, used;
	uint16_t size, used_index;
};
/* 0, or -EBADMSG if it is not in use, or no split virtqueue. */
int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status);

/* HMP "xp /NNxb ADDRESS": exactly @size bytes, or -EBADMSG. @text may be NULL. */
int us_qemu_decode_memory(const char *text, uint8_t *ret_bytes, size_t size);

/* ---- Network (HMP "info network", the one place that tells queues and the tap) ---- */

/*
 * Looks @device up in the text: the number of its queue pairs (at least 1), and the interface of
 * the tap behind it ("" if it is none, or was handed over as a descriptor).
 */
void us_qemu_decode_network(const char *text, const char *device, uint16_t *ret_queue_pairs,
			    char ret_interface[IF_NAMESIZE]);

/* "52:54:00:12:34:56"; anything else is refused. */
int us_qemu_decode_mac(const json_t *text, uint8_t ret_mac[US_MAC_BYTES]);

/* ---- Slots (qom-list, query-pci) ---- */

/* The model behind a qom-list entry's type, "child<pcie-root-port>": is it a hot-plug port? */
bool us_qemu_decode_is_port(const json_t *entry);

/* The bus among a port's own properties (qom-list): its name, or NULL. */
const char *us_qemu_decode_port_bus(const json_t *properties);

/* Whether a bus object has devices on it (qom-list of the bus). */
bool us_qemu_decode_bus_is_taken(const json_t *properties);

/* Whether the root bus of query-pci has a slot without any device. */
bool us_qemu_decode_has_free_slot(const json_t *pci);

/* ---- Migration (query-migrate) ---- */

/* A MigrationStatus, folded; NULL or no string: NONE. An unknown one is ACTIVE: devices cannot
 * be counted on then. */
enum us_transfer us_qemu_decode_transfer(const json_t *status);
void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress);

/* Where an incoming migration listens: "tcp:[fd00::1]:40001". Refused if it is told nowhere. */
int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size);

/*
 * Sorts `--set` pairs into the arguments of migrate-set-capabilities (a list) and
 * migrate-set-parameters (an object), by the names and types that this QEMU answered to
 * query-migrate-capabilities and query-migrate-parameters. `events` is always on.
 * The results are the caller's; both NULL unless 0 is returned.
 */
int us_qemu_decode_settings(const json_t *settings, const json_t *known_capabilities,
			    const json_t *known_parameters, json_t **ret_capabilities,
			    json_t **ret_parameters, struct us_reason *reason);

/*
 * What the settings that us_qemu_decode_settings() made are now, from the same answers, for the day
 * when they are put back: {"capabilities": {NAME: BOOL…}, "parameters": {NAME: VALUE…}}. The
 * caller's; NULL: no memory.
 */
json_t *us_qemu_decode_before(const json_t *known_capabilities, const json_t *known_parameters,
			      const json_t *capabilities, const json_t *parameters);

/* Whether a migration with @parameters set (NULL: none) is encrypted, by tls-creds. */
bool us_qemu_decode_is_encrypted(const json_t *known_parameters, const json_t *parameters);

/* Whether a capability is on that makes the source connect more than once. */
bool us_qemu_decode_needs_connections(const json_t *known_capabilities);
