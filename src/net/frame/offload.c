/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of struct virtio_net_hdr, one by one. Pure. */
#include <net/ethernet.h>

#include "net/frame/frame.h"

enum {
	CHECKSUM_BYTES = 2,
	GSO_UDP_L4 = 5, /* VIRTIO_NET_HDR_GSO_UDP_L4 of newer headers */
};

/* The checksum's field is in the frame, and the bytes that it covers begin after the Ethernet
 * header. */
static bool is_checksum_inside(const struct virtio_net_hdr *header, size_t length)
{
	return header->csum_start >= sizeof(struct ether_header) &&
	       (size_t)header->csum_start + header->csum_offset + CHECKSUM_BYTES <= length;
}

static bool is_gso_valid(const struct virtio_net_hdr *header)
{
	switch (header->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
	case VIRTIO_NET_HDR_GSO_UDP:
	case GSO_UDP_L4:
		return header->gso_size > 0;
	default:
		return false;
	}
}

bool us_offload_is_valid(const struct virtio_net_hdr *header, size_t length)
{
	bool is_partial = header->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM;

	if (header->flags && !is_partial && header->flags != VIRTIO_NET_HDR_F_DATA_VALID)
		return false;
	if (is_partial && !is_checksum_inside(header, length))
		return false;
	return header->hdr_len <= length && is_gso_valid(header);
}
