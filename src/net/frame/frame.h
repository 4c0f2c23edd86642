/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames: builds probes, which make a guest answer, and announcements, which say where it
 * is; recognizes answers; learns addresses. Pure: any bytes may come in.
 *
 * No probe changes how the guest, or anybody else, sees the network: the sender of an ARP probe has
 * no IPv4 address (RFC 5227, section 1.1), so no cache can learn it. A neighbour solicitation
 * leaves one stale neighbour in the guest: the link-local address that asked.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	US_FRAME_MAX = 96, /* bytes of the longest frame that is built here */
};

/* A frame with its offload metadata, in the host's byte order (virtio 1.2, section 5.1.6). */
struct us_frame {
	struct virtio_net_hdr header;
	const uint8_t *bytes; /* from the Ethernet header on */
	size_t length;
};

/*
 * Whether the offload metadata from an untrusted peer fits an Ethernet frame of @length bytes: it
 * has only flags and types that the kernel gives to the reader of a tap, and no offset beyond the
 * frame's end.
 */
bool us_offload_is_valid(const struct virtio_net_hdr *header, size_t length);

/* An IP address of a MAC address, as one frame says it. */
struct us_frame_address {
	int family; /* AF_INET, AF_INET6 (link-local); 0: none */
	/* The frame comes from the MAC address itself: ARP (an IPv4 packet may be routed), or IPv6
	 * with a link-local source. */
	bool is_certain;
	uint8_t bytes[16]; /* an IPv4 address is in the first four, before zeros */
};

/* Learns from a frame from or to @mac. False: nothing. */
bool us_frame_learn(const uint8_t *frame, size_t length, const uint8_t mac[6],
		    struct us_frame_address *ret_address);

/*
 * Whether it can be the address of one host. AF_INET: not in 0.0.0.0/8 or 127.0.0.0/8, and not
 * multicast. AF_INET6: the link-local address of an interface (RFC 4291, section 2.5.6).
 */
bool us_frame_is_of_one_host(int family, const uint8_t *address);

/* Whether it is an Ethernet frame to @mac. */
bool us_frame_is_to(const uint8_t *frame, size_t length, const uint8_t mac[6]);

/* The link-local address that is derived from a MAC address (RFC 4291, appendix A). */
void us_frame_link_local(const uint8_t mac[6], uint8_t ret_address[16]);

/* Probes: each function writes one unicast frame from @source to @target, returns its length. */

/* An ARP probe for @ipv4 (RFC 5227), to be answered to the MAC address @asker. */
size_t us_frame_arp_probe(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
			  const uint8_t target[6], const uint8_t asker[6], const uint8_t ipv4[4]);

/* Whether it is such a probe. Nobody else sends ARP probes to one MAC address only. */
bool us_frame_is_arp_probe(const uint8_t *frame, size_t length);

/* Whether it is @source's answer to an ARP probe with @target as the asker. */
bool us_frame_is_arp_answer(const uint8_t *frame, size_t length, const uint8_t source[6],
			    const uint8_t target[6]);

/* A neighbour solicitation for @ipv6 (RFC 4861, section 4.3), to be answered to the address @asker
 * at the MAC address @source. */
size_t us_frame_solicitation(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
			     const uint8_t target[6], const uint8_t asker[16],
			     const uint8_t ipv6[16]);

/* Whether it is @source's advertisement to the address @asker. */
bool us_frame_is_advertisement_to(const uint8_t *frame, size_t length, const uint8_t source[6],
				  const uint8_t asker[16]);

/* An echo request to all nodes (RFC 4443, section 4.1). */
size_t us_frame_echo(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
		     const uint8_t target[6]);

/* Announcements: each function writes one frame from @mac to everybody, returns its length. */

/* A reverse ARP request for its own address (RFC 903), which needs no answer. */
size_t us_frame_rarp(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6]);

/* An ARP announcement (RFC 5227, section 3). */
size_t us_frame_arp_announcement(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6],
				 const uint8_t ipv4[4]);

/* An unsolicited neighbour advertisement (RFC 4861, section 7.2.6). */
size_t us_frame_advertisement(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6],
			      const uint8_t ipv6[16]);
