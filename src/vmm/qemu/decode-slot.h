/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes the answers about slots: QEMU's object tree (qom-list) and query-pci. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* Whether a qom-list entry is a port that may support hot-plug, by its type. */
bool us_qemu_decode_is_port(const json_t *entry);

/* The name of the bus among a port's own properties, or NULL. */
const char *us_qemu_decode_port_bus(const json_t *properties);

/* Whether a bus has devices, by its properties. */
bool us_qemu_decode_bus_is_taken(const json_t *properties);

/* Whether the root bus of query-pci has a slot without a device. */
bool us_qemu_decode_has_free_slot(const json_t *pci);
