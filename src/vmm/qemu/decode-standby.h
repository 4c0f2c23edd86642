/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes the answers about a standby: driver, tap and queues, MAC address. Pure. */
#pragma once

#include "vmm/vmm.h"

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
