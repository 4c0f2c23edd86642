/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets (packet(7)) at one port: to see its frames, to send some. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum us_packet_kind {
	US_PACKET_SEND,	      /* receives nothing; frames carry a struct virtio_net_hdr */
	US_PACKET_FROM,	      /* frames that come in from the MAC, their first bytes */
	US_PACKET_FROM_TO,    /* … and those to it that go out */
	US_PACKET_OUTGOING,   /* all that goes out, whole, with a struct virtio_net_hdr */
	US_PACKET_CLAIMS,     /* ARP and ICMPv6 from the MAC that comes in, without a VLAN tag */
	US_PACKET_CLAIMS_OUT, /* … that goes out */
};

enum {
	US_PACKET_SNAP = 96, /* bytes of a frame, where only the first are received */
};

struct us_packet_config {
	enum us_packet_kind kind;
	int port;	    /* index of the interface; to send, 0 leaves it open */
	const uint8_t *mac; /* not to send */
	bool has_queue;	    /* of what goes out, only that through … */
	uint16_t queue;	    /* … this transmit queue */
	int receive_bytes;  /* that the kernel holds for us; it drops what is more */
};

/*
 * Opens a socket that does not block. Frames that came before, or at other ports, are never seen.
 * 0 or a negative errno.
 */
int us_packet_open(const struct us_packet_config *config, int *ret_fd);
