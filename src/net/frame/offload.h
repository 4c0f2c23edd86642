/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks the offload metadata of a frame (virtio 1.2, section 5.1.6: struct virtio_net_hdr, in the
 * host's byte order) that comes from an untrusted peer. Pure.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Whether @header fits an Ethernet frame of @length bytes: it has only flags and types that the
 * kernel gives to the reader of a tap, and no offset beyond the frame's end.
 */
bool us_offload_is_valid(const struct virtio_net_hdr *header, size_t length);
