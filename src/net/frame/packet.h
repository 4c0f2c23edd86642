/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets (packet(7)) at one port, to receive or send its frames. A kernel filter selects.
 */
#pragma once

#include <stdint.h>

enum us_packet_kind {
	US_PACKET_SEND,	      /* receives nothing; frames begin with a struct virtio_net_hdr */
	US_PACKET_FROM,	      /* incoming frames from the MAC address: their first bytes */
	US_PACKET_FROM_TO,    /* … and outgoing frames to it */
	US_PACKET_OUTGOING,   /* all outgoing frames, whole, after a struct virtio_net_hdr */
	US_PACKET_CLAIMS,     /* incoming ARP and ICMPv6 from the MAC address, without a VLAN tag */
	US_PACKET_CLAIMS_OUT, /* … outgoing */
};

enum {
	US_PACKET_SNAP = 96, /* "first bytes" of a frame */
};

struct us_packet_config {
	enum us_packet_kind kind;
	int port;	    /* index of the interface; US_PACKET_SEND: 0 for any */
	const uint8_t *mac; /* unused by US_PACKET_SEND */
	int queue;	    /* US_PACKET_OUTGOING: this transmit queue; -1: all */
	int receive_bytes;  /* size of the kernel's buffer; it drops frames that do not fit */
};

/*
 * Opens a non-blocking socket, the caller's. It never receives frames that came before, or at other
 * ports. 0 or a negative errno.
 */
int us_packet_open(const struct us_packet_config *config, int *ret_fd);

/*
 * Takes and closes @fd without waiting. For a tap or a packet socket, the kernel first waits for
 * all current senders, which takes 5 to 30 ms. Returns -1.
 */
int us_close_async(int fd);
