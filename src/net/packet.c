/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets at one port. The kernel filters: what is not wanted never wakes us. */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/packet.h"
#include "util/cleanup.h"

enum {
	WHOLE = 0x40000, /* more than any frame has */
	MAC_OFFSET_TARGET = 0,
	MAC_OFFSET_SOURCE = 6,
	TYPE_OFFSET = 12,
	IPV6_NEXT_OFFSET = 20,
};

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (offset))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define TAKE(length) BPF_STMT(BPF_RET | BPF_K, (length))
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define LOAD_DIRECTION LOAD(BPF_H, SKF_AD_OFF + SKF_AD_PKTTYPE)

static uint32_t mac_head(const uint8_t *mac)
{
	return mac[0] << 8 | mac[1];
}

static uint32_t mac_tail(const uint8_t *mac)
{
	return (uint32_t)mac[2] << 24 | mac[3] << 16 | mac[4] << 8 | mac[5];
}

static int attach(int fd, struct sock_filter *filter, size_t length)
{
	struct sock_fprog program = { .len = length, .filter = filter };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

static int attach_from(int fd, const uint8_t *mac)
{
	struct sock_filter filter[] = {
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(mac_tail(mac), 3),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		UNLESS(mac_head(mac), 1),
		TAKE(US_PACKET_SNAP),
		DROP,
	};

	return attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int attach_from_to(int fd, const uint8_t *mac)
{
	struct sock_filter filter[] = {
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(mac_tail(mac), 2),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		IF(mac_head(mac), 4),
		LOAD(BPF_W, MAC_OFFSET_TARGET + 2),
		UNLESS(mac_tail(mac), 3),
		LOAD(BPF_H, MAC_OFFSET_TARGET),
		UNLESS(mac_head(mac), 1),
		TAKE(US_PACKET_SNAP),
		DROP,
	};

	return attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int attach_outgoing(int fd, const uint8_t *mac)
{
	struct sock_filter filter[] = {
		LOAD_DIRECTION,
		IF(PACKET_OUTGOING, 9),
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(mac_tail(mac), 8),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		UNLESS(mac_head(mac), 6),
		LOAD(BPF_H, TYPE_OFFSET),
		IF(ETH_P_ARP, 3),
		UNLESS(ETH_P_IPV6, 3),
		LOAD(BPF_B, IPV6_NEXT_OFFSET),
		UNLESS(IPPROTO_ICMPV6, 1),
		TAKE(WHOLE),
		DROP,
	};

	return attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int set_up(int fd, enum us_packet_kind kind, const uint8_t *mac)
{
	const int one = 1;
	int r = 0;

	switch (kind) {
	case US_PACKET_FROM:
		r = setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
		return r < 0 ? -errno : attach_from(fd, mac);
	case US_PACKET_FROM_TO:
		return attach_from_to(fd, mac);
	case US_PACKET_OUTGOING:
		r = attach_outgoing(fd, mac);
		if (r < 0)
			return r;
		/* fall through */
	case US_PACKET_SEND:
		r = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one));
		break;
	}
	return r < 0 ? -errno : 0;
}

int us_packet_open(int port, enum us_packet_kind kind, const uint8_t mac[6], int receive_bytes,
		   int *ret_fd)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = kind == US_PACKET_SEND ? 0 : htobe16(ETH_P_ALL),
		.sll_ifindex = port,
	};
	US_CLEANUP(us_closep) int fd = -1;
	int r;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = set_up(fd, kind, mac);
	if (r < 0)
		return r;
	if (receive_bytes &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) < 0)
		return -errno;
	/* Last: no frame gets in before there is a filter. */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
