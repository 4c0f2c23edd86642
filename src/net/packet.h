/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets (packet(7)) at one port: to see its frames, to send some. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum us_packet_kind {
	US_PACKET_SEND,	    /* receives nothing; frames carry a struct virtio_net_hdr */
	US_PACKET_FROM,	    /* frames that come in from the MAC, their first bytes */
	US_PACKET_FROM_TO,  /* … and those to it that go out */
	US_PACKET_OUTGOING, /* all that goes out, whole, with a struct virtio_net_hdr; and, to
			     * learn addresses, the ARP and ICMPv6 that comes in from the MAC */
};

enum {
	US_PACKET_SNAP = 96, /* bytes of a frame, where only the first are received */
};

/*
 * Opens a socket that does not block. The kernel holds about @receive_bytes for us, and drops
 * what is more. @mac is not used for US_PACKET_SEND. Frames that came before, or at other ports,
 * are never seen. 0 or a negative errno.
 */
int us_packet_open(int port, enum us_packet_kind kind, const uint8_t mac[6], int receive_bytes,
		   int *ret_fd);
