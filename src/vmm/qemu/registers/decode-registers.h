/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes the registers of a virtio PCI device (registers.h): place, content, meaning. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "understudy/pair.h"
#include "vmm/qemu/registers/guest-memory.h"

enum {
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

/*
 * The guest-physical address of the common configuration of @device, by the answer to query-pci; 0
 * if it is nowhere.
 */
uint64_t us_qemu_decode_registers_place(const json_t *pci, const char *device);

/* The command that reads the registers of the common configuration at @address. */
void us_qemu_registers_command(uint64_t address, char ret_command[US_QEMU_MEMORY_COMMAND_SIZE]);

/* Decodes its answer; all 0 if @text is NULL or has no memory. */
void us_qemu_decode_registers(const char *text, struct us_virtio_registers *ret_registers);

/*
 * Whether the registers show what the driver negotiated: they do not if the driver selected other
 * features than those with STANDBY.
 */
bool us_qemu_decode_shows_standby(const struct us_virtio_registers *registers);

/*
 * The driver. @has_negotiated, by QEMU's event, counts if the registers do not show what it
 * negotiated.
 */
enum us_guest us_qemu_decode_driver(const struct us_virtio_registers *registers,
				    bool has_negotiated, bool *ret_driver_ok);
