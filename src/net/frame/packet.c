/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets and their filters: unwanted frames never wake the daemon. */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/frame/packet.h"
#include "util/cleanup.h"

enum {
	WHOLE = 0x40000, /* longer than any frame */
	MAC_OFFSET_TARGET = 0,
	MAC_OFFSET_SOURCE = 6,
	TYPE_OFFSET = 12,
	IPV6_NEXT_OFFSET = 20,
	QUEUE_TEST = 3, /* among the statements of attach_outgoing() */
};

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (offset))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define TAKE(length) BPF_STMT(BPF_RET | BPF_K, (length))
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define LOAD_DIRECTION LOAD(BPF_H, SKF_AD_OFF + SKF_AD_PKTTYPE)
#define LOAD_QUEUE LOAD(BPF_H, SKF_AD_OFF + SKF_AD_QUEUE)

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

static int attach_outgoing(int fd, const struct us_packet_config *config)
{
	struct sock_filter filter[] = {
		LOAD_DIRECTION, UNLESS(PACKET_OUTGOING, 3),
		LOAD_QUEUE,	UNLESS(config->queue, 1),
		TAKE(WHOLE),	DROP,
	};

	if (!config->has_queue) /* any queue */
		filter[QUEUE_TEST].jf = 0;
	return attach(fd, filter, US_ARRAY_LENGTH(filter));
}

/* A VLAN tag, which the kernel takes out of the frame, stands for another network. */
static int attach_claims(int fd, const uint8_t *mac, bool is_outgoing)
{
	struct sock_filter filter[] = {
		LOAD_DIRECTION,
		UNLESS(PACKET_OUTGOING, 12),
		LOAD(BPF_H, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
		UNLESS(0, 10),
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(mac_tail(mac), 8),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		UNLESS(mac_head(mac), 6),
		LOAD(BPF_H, TYPE_OFFSET),
		IF(ETH_P_ARP, 3),
		UNLESS(ETH_P_IPV6, 3),
		LOAD(BPF_B, IPV6_NEXT_OFFSET),
		UNLESS(IPPROTO_ICMPV6, 1),
		TAKE(US_PACKET_SNAP),
		DROP,
	};

	if (!is_outgoing) { /* inverts the test */
		filter[1].jt = filter[1].jf;
		filter[1].jf = 0;
	}
	return attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int set_up(int fd, const struct us_packet_config *config)
{
	const int one = 1, bytes = config->receive_bytes;
	int r = 0;

	switch (config->kind) {
	case US_PACKET_FROM:
		r = setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
		r = r < 0 ? -errno : attach_from(fd, config->mac);
		break;
	case US_PACKET_FROM_TO:
		r = attach_from_to(fd, config->mac);
		break;
	case US_PACKET_OUTGOING:
		r = attach_outgoing(fd, config);
		break;
	case US_PACKET_CLAIMS:
	case US_PACKET_CLAIMS_OUT:
		r = attach_claims(fd, config->mac, config->kind == US_PACKET_CLAIMS_OUT);
		break;
	case US_PACKET_SEND:
		break;
	}
	if (r < 0)
		return r;
	if ((config->kind == US_PACKET_OUTGOING || config->kind == US_PACKET_SEND) &&
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
		return -errno;
	if (bytes && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return -errno;
	return 0;
}

int us_packet_open(const struct us_packet_config *config, int *ret_fd)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = config->kind == US_PACKET_SEND ? 0 : htobe16(ETH_P_ALL),
		.sll_ifindex = config->port,
	};
	US_CLEANUP(us_closep) int fd = -1;
	int r;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = set_up(fd, config);
	if (r < 0)
		return r;
	/* Last: no frame is received before the filter is attached. */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
