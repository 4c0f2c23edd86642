/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP, IPv6 neighbour discovery and ICMPv6 in Ethernet frames. */
#include <string.h>
#include <sys/socket.h>

#include "net/frame/frame.h"

enum {
	ETHERNET_SIZE = 14,
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_RARP = 0x8035,
	TYPE_IPV6 = 0x86dd,
	ARP_SIZE = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	RARP_REQUEST = 3,
	IPV4_SIZE = 20,
	IPV6_SIZE = 40,
	NEXT_HEADER_ICMPV6 = 58,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_SOLICITATION = 135,
	ICMPV6_ADVERTISEMENT = 136,
	ADVERTISEMENT_OVERRIDE = 0x20,
	OPTION_SOURCE = 1, /* link-layer addresses */
	OPTION_TARGET = 2,
};

static const uint8_t nobody[4] = { 0 }; /* as an IPv4 address */
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, [5] = 1 };
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static uint16_t get_u16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static void put_u16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = value >> 8;
	bytes[1] = value;
}

/* ---- Learning ---- */

bool us_frame_is_of_one_host(int family, const uint8_t *address)
{
	static const uint8_t no_interface[8] = { 0 };

	if (family == AF_INET)
		return address[0] != 0 && address[0] != 127 && address[0] < 224;
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80 &&
	       memcmp(address + 8, no_interface, sizeof(no_interface)) != 0;
}

static bool learn(int family, const uint8_t *address, bool is_certain,
		  struct us_frame_address *ret_address)
{
	if (!us_frame_is_of_one_host(family, address))
		return false;
	ret_address->family = family;
	ret_address->is_certain = is_certain;
	memcpy(ret_address->bytes, address, family == AF_INET ? 4 : 16);
	return true;
}

/*
 * ARP for IPv4 over Ethernet has the MAC and IPv4 addresses of both ends. Anybody can name the MAC
 * address as the target, so only an address in the MAC address's own frames is certain.
 */
static bool learn_arp(const uint8_t *arp, size_t length, const uint8_t mac[6], bool is_from,
		      struct us_frame_address *ret_address)
{
	static const uint8_t ipv4_over_ethernet[] = { 0, 1, 8, 0, 6, 4 };

	if (length < ARP_SIZE || memcmp(arp, ipv4_over_ethernet, sizeof(ipv4_over_ethernet)) != 0)
		return false;
	if (is_from)
		return memcmp(arp + 8, mac, 6) == 0 && learn(AF_INET, arp + 14, true, ret_address);
	if (memcmp(arp + 18, mac, 6) == 0)
		return learn(AF_INET, arp + 24, false, ret_address);
	return false;
}

bool us_frame_is_to(const uint8_t *frame, size_t length, const uint8_t mac[6])
{
	return length >= ETHERNET_SIZE && memcmp(frame, mac, 6) == 0;
}

bool us_frame_learn(const uint8_t *frame, size_t length, const uint8_t mac[6],
		    struct us_frame_address *ret_address)
{
	const uint8_t *payload = frame + ETHERNET_SIZE;
	bool is_from;

	*ret_address = (struct us_frame_address){ .family = 0 };
	if (length < ETHERNET_SIZE)
		return false;
	is_from = memcmp(frame + 6, mac, 6) == 0;
	if (!is_from && memcmp(frame, mac, 6) != 0)
		return false;

	length -= ETHERNET_SIZE;
	switch (get_u16(frame + 12)) {
	case TYPE_ARP:
		return learn_arp(payload, length, mac, is_from, ret_address);
	case TYPE_IPV4:
		return length >= IPV4_SIZE && payload[0] >> 4 == 4 &&
		       learn(AF_INET, payload + (is_from ? 12 : 16), false, ret_address);
	case TYPE_IPV6:
		return length >= IPV6_SIZE && payload[0] >> 4 == 6 &&
		       learn(AF_INET6, payload + (is_from ? 8 : 24), is_from, ret_address);
	}
	return false;
}

/* ---- Building ---- */

void us_frame_link_local(const uint8_t mac[6], uint8_t ret_address[16])
{
	const uint8_t address[16] = {
		0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
	};

	memcpy(ret_address, address, sizeof(address));
}

static uint8_t *put_ethernet(uint8_t *frame, const uint8_t source[6], const uint8_t target[6],
			     uint16_t type)
{
	memset(frame, 0, US_FRAME_MAX);
	memcpy(frame, target, 6);
	memcpy(frame + 6, source, 6);
	put_u16(frame + 12, type);
	return frame + ETHERNET_SIZE;
}

/* The caller fills in the IPv4 addresses, if there are any. */
static uint8_t *put_arp(uint8_t *frame, const uint8_t source[6], const uint8_t target[6],
			uint16_t type, uint8_t operation)
{
	uint8_t *arp = put_ethernet(frame, source, target, type);

	put_u16(arp, 1);
	put_u16(arp + 2, TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	put_u16(arp + 6, operation);
	memcpy(arp + 8, source, 6);
	return arp;
}

size_t us_frame_arp_probe(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
			  const uint8_t target[6], const uint8_t asker[6], const uint8_t ipv4[4])
{
	uint8_t *arp = put_arp(ret_frame, source, target, TYPE_ARP, ARP_REQUEST);

	memcpy(arp + 8, asker, 6);
	memcpy(arp + 24, ipv4, 4);
	return ETHERNET_SIZE + ARP_SIZE;
}

static bool is_arp(const uint8_t *frame, size_t length, uint8_t operation)
{
	return length >= ETHERNET_SIZE + ARP_SIZE && get_u16(frame + 12) == TYPE_ARP &&
	       get_u16(frame + ETHERNET_SIZE + 2) == TYPE_IPV4 &&
	       get_u16(frame + ETHERNET_SIZE + 6) == operation;
}

bool us_frame_is_arp_probe(const uint8_t *frame, size_t length)
{
	return is_arp(frame, length, ARP_REQUEST) && !(frame[0] & 1) &&
	       memcmp(frame + ETHERNET_SIZE + 14, nobody, sizeof(nobody)) == 0;
}

bool us_frame_is_arp_answer(const uint8_t *frame, size_t length, const uint8_t source[6],
			    const uint8_t target[6])
{
	return is_arp(frame, length, ARP_REPLY) && memcmp(frame, target, 6) == 0 &&
	       memcmp(frame + 6, source, 6) == 0 &&
	       memcmp(frame + ETHERNET_SIZE + 24, nobody, sizeof(nobody)) == 0;
}

size_t us_frame_rarp(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6])
{
	uint8_t *arp = put_arp(ret_frame, mac, everybody, TYPE_RARP, RARP_REQUEST);

	memcpy(arp + 18, mac, 6);
	return ETHERNET_SIZE + ARP_SIZE;
}

size_t us_frame_arp_announcement(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6],
				 const uint8_t ipv4[4])
{
	uint8_t *arp = put_arp(ret_frame, mac, everybody, TYPE_ARP, ARP_REQUEST);

	memcpy(arp + 14, ipv4, 4);
	memcpy(arp + 24, ipv4, 4);
	return ETHERNET_SIZE + ARP_SIZE;
}

/* RFC 8200, section 8.1: over the addresses, length, next header and message. */
static uint16_t icmpv6_checksum(const uint8_t *ipv6, size_t length)
{
	uint32_t sum = NEXT_HEADER_ICMPV6 + length;

	for (size_t i = 8; i < IPV6_SIZE + length; i += 2)
		sum += get_u16(ipv6 + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Completes a frame with an ICMPv6 message of @length bytes (an even number) in place. */
static size_t put_ipv6(uint8_t *ipv6, const uint8_t source[16], const uint8_t target[16],
		       size_t length)
{
	ipv6[0] = 6 << 4;
	put_u16(ipv6 + 4, length);
	ipv6[6] = NEXT_HEADER_ICMPV6;
	ipv6[7] = 255;
	memcpy(ipv6 + 8, source, 16);
	memcpy(ipv6 + 24, target, 16);
	put_u16(ipv6 + IPV6_SIZE + 2, icmpv6_checksum(ipv6, length));
	return ETHERNET_SIZE + IPV6_SIZE + length;
}

/* A message about @ipv6, with the target's or the sender's link-layer address. */
static void put_neighbour(uint8_t *message, uint8_t type, const uint8_t ipv6[16], uint8_t option,
			  const uint8_t mac[6])
{
	message[0] = type;
	memcpy(message + 8, ipv6, 16);
	message[24] = option;
	message[25] = 1; /* in units of 8 bytes */
	memcpy(message + 26, mac, 6);
}

size_t us_frame_solicitation(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
			     const uint8_t target[6], const uint8_t asker[16],
			     const uint8_t ipv6[16])
{
	uint8_t *packet = put_ethernet(ret_frame, source, target, TYPE_IPV6);

	/* Carries our MAC address, so the guest need not ask for it. */
	put_neighbour(packet + IPV6_SIZE, ICMPV6_SOLICITATION, ipv6, OPTION_SOURCE, source);
	return put_ipv6(packet, asker, ipv6, 32);
}

bool us_frame_is_advertisement_to(const uint8_t *frame, size_t length, const uint8_t source[6],
				  const uint8_t asker[16])
{
	const uint8_t *ipv6 = frame + ETHERNET_SIZE;

	return length > ETHERNET_SIZE + IPV6_SIZE && memcmp(frame + 6, source, 6) == 0 &&
	       get_u16(frame + 12) == TYPE_IPV6 && ipv6[6] == NEXT_HEADER_ICMPV6 &&
	       memcmp(ipv6 + 24, asker, 16) == 0 && ipv6[IPV6_SIZE] == ICMPV6_ADVERTISEMENT;
}

size_t us_frame_advertisement(uint8_t ret_frame[US_FRAME_MAX], const uint8_t mac[6],
			      const uint8_t ipv6[16])
{
	uint8_t *packet = put_ethernet(ret_frame, mac, all_nodes_mac, TYPE_IPV6);

	put_neighbour(packet + IPV6_SIZE, ICMPV6_ADVERTISEMENT, ipv6, OPTION_TARGET, mac);
	packet[IPV6_SIZE + 4] = ADVERTISEMENT_OVERRIDE;
	return put_ipv6(packet, ipv6, all_nodes, 32);
}

size_t us_frame_echo(uint8_t ret_frame[US_FRAME_MAX], const uint8_t source[6],
		     const uint8_t target[6])
{
	uint8_t *packet = put_ethernet(ret_frame, source, target, TYPE_IPV6), from[16];

	us_frame_link_local(source, from);
	packet[IPV6_SIZE] = ICMPV6_ECHO_REQUEST;
	return put_ipv6(packet, from, all_nodes, 8);
}
