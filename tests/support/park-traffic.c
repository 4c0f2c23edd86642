/* SPDX-License-Identifier: BSD-3-Clause */
/* Two packet sockets: the generator's sends batches, the guest's has a ring. */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/frame/packet.h"
#include "support/park-traffic.h"
#include "util/clock.h"

enum {
	BATCH = 64,
	NUMBER_AT = 8, /* in the source's MAC address: its last four bytes */
	SNAP = 14,
	RING_BLOCK =
		64 * 1024,  /* the kernel gives out a block after 10 ms, although it is not full */
	RING_BLOCKS = 2560, /* some 1.7 million frames */
	SETTLE_USEC = 40 * 1000,
};

const uint8_t park_traffic_mac[6] = { 2, 0, 0, 0, 0, 1 };

static void fail(const char *what)
{
	fprintf(stderr, "park-traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- The guest ---- */

static void guest_open(struct park_traffic *traffic, const char *guest)
{
	struct sock_filter take[] = { BPF_STMT(BPF_RET | BPF_K, SNAP) };
	const struct sock_fprog program = { .len = 1, .filter = take };
	const int version = TPACKET_V3;
	const struct tpacket_req3 request = { .tp_block_size = RING_BLOCK,
					      .tp_block_nr = RING_BLOCKS,
					      .tp_frame_size = 2048,
					      .tp_frame_nr = RING_BLOCK / 2048 * RING_BLOCKS,
					      .tp_retire_blk_tov = 10 };
	const struct sockaddr_ll address = { .sll_family = AF_PACKET,
					     .sll_protocol = htobe16(ETH_P_ALL),
					     .sll_ifindex = if_nametoindex(guest) };

	traffic->guest = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (setsockopt(traffic->guest, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) <
		    0 ||
	    setsockopt(traffic->guest, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(traffic->guest, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0 ||
	    bind(traffic->guest, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail("the guest");
	traffic->ring = mmap(NULL, (size_t)RING_BLOCK * RING_BLOCKS, PROT_READ | PROT_WRITE,
			     MAP_SHARED, traffic->guest, 0);
	if (traffic->ring == MAP_FAILED)
		fail("the guest's ring");
}

static void count(const uint8_t *frame, uint32_t *next, struct park_traffic_count *result)
{
	uint32_t number;

	if (memcmp(frame, park_traffic_mac, sizeof(park_traffic_mac)) != 0)
		return;
	memcpy(&number, frame + NUMBER_AT, sizeof(number));
	result->received++;
	if (number < *next)
		result->reordered++;
	else
		*next = number + 1;
}

/* Gives the frames in the ring back to the kernel. */
struct park_traffic_count park_traffic_count(struct park_traffic *traffic)
{
	struct park_traffic_count result = { 0 };
	uint32_t next = 0;

	usleep(SETTLE_USEC); /* until the kernel gives out the last block */
	for (;; traffic->ring_block = (traffic->ring_block + 1) % RING_BLOCKS) {
		struct tpacket_block_desc *block =
			(void *)(traffic->ring + (size_t)traffic->ring_block * RING_BLOCK);
		uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;

		if (!(block->hdr.bh1.block_status & TP_STATUS_USER))
			break;
		for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
			const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)at;

			count(at + header->tp_mac, &next, &result);
			at += header->tp_next_offset;
		}
		block->hdr.bh1.block_status = TP_STATUS_KERNEL;
	}
	return result;
}

/* ---- The generator ---- */

/* Ethernet; for a segmentation offload, TCP over IPv4 with a partial checksum. */
static void fill(struct park_traffic_frame *message, const struct park_traffic_load *load)
{
	static const uint8_t ip[] = { 0x45, 0, 0,   0, 0, 1, 0,	  0, 64, 6,
				      0,    0, 192, 0, 2, 9, 192, 0, 2,	 7 };
	uint8_t *frame = message->bytes;
	uint32_t sum = 0;

	memcpy(frame, park_traffic_mac, sizeof(park_traffic_mac));
	frame[6] = 2;
	frame[12] = 0x88;
	frame[13] = 0xb5;
	if (!load->gso_size)
		return;
	frame[12] = 8;
	frame[13] = 0;
	memcpy(frame + 14, ip, sizeof(ip));
	frame[16] = (load->length - 14) >> 8;
	frame[17] = load->length - 14;
	for (int i = 14; i < 34; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	frame[24] = ~sum >> 8;
	frame[25] = ~sum;
	frame[46] = 0x50; /* the length of the TCP header */
	message->header = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
						   .gso_size = load->gso_size,
						   .hdr_len = 54,
						   .csum_start = 34,
						   .csum_offset = 16 };
}

/* So many frames as are due: at most a batch. */
static unsigned int due(const struct park_traffic *traffic, uint64_t start_usec)
{
	double frames = (us_now_usec() - start_usec) / 1e6 * traffic->load.rate - traffic->sent;

	if (traffic->load.rate == 0 || frames > BATCH)
		return BATCH;
	return frames < 0 ? 0 : frames;
}

static void *generate(void *userdata)
{
	struct park_traffic *traffic = userdata;
	struct park_traffic_frame *messages = calloc(BATCH, sizeof(*messages));
	struct mmsghdr vector[BATCH] = { 0 };
	struct iovec iov[BATCH];
	uint64_t start_usec = us_now_usec();

	for (int i = 0; messages && i < BATCH; i++) {
		fill(&messages[i], &traffic->load);
		iov[i].iov_base = &messages[i];
		iov[i].iov_len = sizeof(messages->header) + traffic->load.length;
		vector[i].msg_hdr.msg_iov = &iov[i];
		vector[i].msg_hdr.msg_iovlen = 1;
	}
	while (!atomic_load(&traffic->is_stopped)) {
		unsigned int count = due(traffic, start_usec);
		int sent;

		for (uint32_t i = 0; i < count; i++) {
			uint32_t number = traffic->sent + i;

			memcpy(messages[i].bytes + NUMBER_AT, &number, sizeof(number));
		}
		sent = count ? sendmmsg(traffic->source, vector, count, 0) : 0;
		if (sent < 0)
			fail("the generator");
		traffic->sent += sent;
		if (count < BATCH)
			usleep(20);
	}
	free(messages);
	return NULL;
}

void park_traffic_start(struct park_traffic *traffic, const struct park_traffic_load *load)
{
	traffic->load = *load;
	traffic->sent = 0;
	atomic_store(&traffic->is_stopped, false);
	if (pthread_create(&traffic->generator, NULL, generate, traffic) != 0)
		fail("the generator");
}

void park_traffic_stop(struct park_traffic *traffic)
{
	atomic_store(&traffic->is_stopped, true);
	pthread_join(traffic->generator, NULL);
}

/* ---- Life ---- */

static int open_source(const char *name)
{
	const struct us_packet_config config = { .kind = US_PACKET_SEND,
						 .port = if_nametoindex(name) };
	const int one = 1;
	int fd = -1, r = us_packet_open(&config, &fd);

	if (r < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		fail("the source");
	return fd;
}

void park_traffic_open(struct park_traffic *traffic, const char *source, const char *guest)
{
	*traffic = (struct park_traffic){ .source = open_source(source) };
	guest_open(traffic, guest);
}

void park_traffic_close(struct park_traffic *traffic)
{
	munmap(traffic->ring, (size_t)RING_BLOCK * RING_BLOCKS);
	close(traffic->guest);
	close(traffic->source);
}
