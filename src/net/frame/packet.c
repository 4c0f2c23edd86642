/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets and their filters: unwanted frames never wake the daemon. */
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>

#include "net/frame/packet.h"
#include "util/cleanup.h"
#include "util/filter.h"

enum {
	WHOLE = 0x40000, /* longer than any frame */
	MAC_OFFSET_TARGET = 0,
	MAC_OFFSET_SOURCE = 6,
	TYPE_OFFSET = 12,
	IPV6_NEXT_OFFSET = 20,
};

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (offset))
/* Skips so many statements: if the accumulator equals @value, otherwise. */
#define TEST(value, equal, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (equal), (other))
#define UNLESS(value, skip) TEST(value, 0, skip)
#define TAKE(length) BPF_STMT(BPF_RET | BPF_K, (length))
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define LOAD_DIRECTION LOAD(BPF_H, SKF_AD_OFF + SKF_AD_PKTTYPE)
#define LOAD_QUEUE LOAD(BPF_H, SKF_AD_OFF + SKF_AD_QUEUE)

static int attach_from(int fd, const uint8_t *mac, bool or_to)
{
	struct sock_filter filter[] = {
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(us_filter_mac_tail(mac), or_to ? 2 : 7),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		TEST(us_filter_mac_head(mac), 4, or_to ? 0 : 5),
		LOAD(BPF_W, MAC_OFFSET_TARGET + 2),
		UNLESS(us_filter_mac_tail(mac), 3),
		LOAD(BPF_H, MAC_OFFSET_TARGET),
		UNLESS(us_filter_mac_head(mac), 1),
		TAKE(US_PACKET_SNAP),
		DROP,
	};

	return us_filter_attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int attach_outgoing(int fd, int queue)
{
	struct sock_filter filter[] = {
		LOAD_DIRECTION, UNLESS(PACKET_OUTGOING, 3),
		LOAD_QUEUE,	UNLESS(queue, queue < 0 ? 0 : 1),
		TAKE(WHOLE),	DROP,
	};

	return us_filter_attach(fd, filter, US_ARRAY_LENGTH(filter));
}

/* A VLAN tag, which the kernel takes out of the frame, stands for another network. */
static int attach_claims(int fd, const uint8_t *mac, bool is_outgoing)
{
	struct sock_filter filter[] = {
		LOAD_DIRECTION,
		TEST(PACKET_OUTGOING, is_outgoing ? 0 : 12, is_outgoing ? 12 : 0),
		LOAD(BPF_H, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
		UNLESS(0, 10),
		LOAD(BPF_W, MAC_OFFSET_SOURCE + 2),
		UNLESS(us_filter_mac_tail(mac), 8),
		LOAD(BPF_H, MAC_OFFSET_SOURCE),
		UNLESS(us_filter_mac_head(mac), 6),
		LOAD(BPF_H, TYPE_OFFSET),
		TEST(ETH_P_ARP, 3, 0),
		UNLESS(ETH_P_IPV6, 3),
		LOAD(BPF_B, IPV6_NEXT_OFFSET),
		UNLESS(IPPROTO_ICMPV6, 1),
		TAKE(US_PACKET_SNAP),
		DROP,
	};

	return us_filter_attach(fd, filter, US_ARRAY_LENGTH(filter));
}

static int attach_filter(int fd, const struct us_packet_config *config)
{
	switch (config->kind) {
	case US_PACKET_FROM:
	case US_PACKET_FROM_TO:
		return attach_from(fd, config->mac, config->kind == US_PACKET_FROM_TO);
	case US_PACKET_OUTGOING:
		return attach_outgoing(fd, config->queue);
	case US_PACKET_CLAIMS:
	case US_PACKET_CLAIMS_OUT:
		return attach_claims(fd, config->mac, config->kind == US_PACKET_CLAIMS_OUT);
	case US_PACKET_SEND:
		break;
	}
	return 0;
}

static int set_up(int fd, const struct us_packet_config *config)
{
	const int one = 1, bytes = config->receive_bytes;

	if (config->kind == US_PACKET_FROM &&
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0)
		return -errno;
	if ((config->kind == US_PACKET_OUTGOING || config->kind == US_PACKET_SEND) &&
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
		return -errno;
	if (bytes && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return -errno;
	return attach_filter(fd, config);
}

int us_packet_open(const struct us_packet_config *config, int *ret_fd)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = config->kind == US_PACKET_SEND ? 0 : htobe16(ETH_P_ALL),
		.sll_ifindex = config->port,
	};
	US_CLEANUP(us_closep)
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

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

/* ---- Closing: one short thread for each descriptor, because there are few, at transitions ---- */

static void *close_thread(void *userdata)
{
	us_close((int)(intptr_t)userdata);
	return NULL;
}

int us_close_async(int fd)
{
	pthread_t thread;

	if (fd < 0)
		return -1;
	if (pthread_create(&thread, NULL, close_thread, (void *)(intptr_t)fd) != 0)
		return us_close(fd);
	pthread_detach(thread);
	return -1;
}
