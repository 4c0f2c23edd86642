/* SPDX-License-Identifier: BSD-3-Clause */
/* Links, a generator, a guest, and the bare loop. */
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
#include <time.h>
#include <unistd.h>

#include "net/frame/packet.h"
#include "net/park/park-tap.h"
#include "net/park/park.h"
#include "support/park-rig.h"
#include "util/clock.h"

enum {
	BATCH = 64,
	NUMBER_AT = 8, /* in the source's MAC address: its last four bytes */
	SNAP = 14,
	LENGTH_MAX = 65536 + 64,
	RING_BLOCK =
		64 * 1024,  /* the kernel gives out a block after 10 ms, although it is not full */
	RING_BLOCKS = 2560, /* some 1.7 million frames */
	QUEUE_FRAMES = 10000,
	SETTLE_USEC = 20 * 1000,
	RELEASE_MAX_USEC = 30 * 1000 * 1000,
};

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

static void fail(const char *what)
{
	fprintf(stderr, "park-rig: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(const char *what, int r, const struct us_reason *reason)
{
	if (r == 0)
		return;
	fprintf(stderr, "park-rig: %s: %d: %s\n", what, r, reason ? reason->text : "");
	exit(1);
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail(command);
}

/* ---- The guest ---- */

static void guest_open(struct park_rig *rig)
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
					     .sll_ifindex = if_nametoindex("guest") };

	rig->guest = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (setsockopt(rig->guest, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(rig->guest, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(rig->guest, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0 ||
	    bind(rig->guest, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail("the guest");
	rig->ring = mmap(NULL, (size_t)RING_BLOCK * RING_BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED,
			 rig->guest, 0);
	if (rig->ring == MAP_FAILED)
		fail("the guest's ring");
}

static void count(const uint8_t *frame, uint32_t *next, struct park_rig_result *result,
		  uint64_t *received)
{
	uint32_t number;

	if (memcmp(frame, mac, sizeof(mac)) != 0)
		return;
	memcpy(&number, frame + NUMBER_AT, sizeof(number));
	(*received)++;
	if (number < *next)
		result->reordered++;
	else
		*next = number + 1;
}

/* Counts the frames in the ring, and gives them back to the kernel. */
static void guest_count(struct park_rig *rig, struct park_rig_result *result)
{
	uint64_t received = 0;
	uint32_t next = 0;

	usleep(2 * SETTLE_USEC); /* until the kernel gives out the last block */
	for (;; rig->ring_block = (rig->ring_block + 1) % RING_BLOCKS) {
		struct tpacket_block_desc *block =
			(void *)(rig->ring + (size_t)rig->ring_block * RING_BLOCK);
		uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;

		if (!(block->hdr.bh1.block_status & TP_STATUS_USER))
			break;
		for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
			const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)at;

			count(at + header->tp_mac, &next, result, &received);
			at += header->tp_next_offset;
		}
		block->hdr.bh1.block_status = TP_STATUS_KERNEL;
	}
	result->lost = result->sent - received;
}

/* ---- The generator ---- */

struct message {
	struct virtio_net_hdr header;
	uint8_t frame[LENGTH_MAX];
} __attribute__((packed));

/* Ethernet; for a segmentation offload, TCP over IPv4 with a partial checksum. */
static void fill(struct message *message, const struct park_rig_load *load)
{
	static const uint8_t ip[] = { 0x45, 0, 0,   0, 0, 1, 0,	  0, 64, 6,
				      0,    0, 192, 0, 2, 9, 192, 0, 2,	 7 };
	uint8_t *frame = message->frame;
	uint32_t sum = 0;

	memcpy(frame, mac, sizeof(mac));
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
static unsigned int due(const struct park_rig *rig, uint64_t start_usec)
{
	double frames = (us_now_usec() - start_usec) / 1e6 * rig->load.rate - rig->sent;

	if (rig->load.rate == 0 || frames > BATCH)
		return BATCH;
	return frames < 0 ? 0 : frames;
}

static void *generate(void *userdata)
{
	struct park_rig *rig = userdata;
	struct message *messages = calloc(BATCH, sizeof(*messages));
	struct mmsghdr vector[BATCH] = { 0 };
	struct iovec iov[BATCH];
	uint64_t start_usec = us_now_usec();

	for (int i = 0; messages && i < BATCH; i++) {
		fill(&messages[i], &rig->load);
		iov[i].iov_base = &messages[i];
		iov[i].iov_len = sizeof(messages->header) + rig->load.length;
		vector[i].msg_hdr.msg_iov = &iov[i];
		vector[i].msg_hdr.msg_iovlen = 1;
	}
	while (!atomic_load(&rig->is_stopped)) {
		unsigned int count = due(rig, start_usec);
		int sent;

		for (uint32_t i = 0; i < count; i++) {
			uint32_t number = rig->sent + i;

			memcpy(messages[i].frame + NUMBER_AT, &number, sizeof(number));
		}
		sent = count ? sendmmsg(rig->source, vector, count, 0) : 0;
		if (sent < 0)
			fail("the generator");
		rig->sent += sent;
		if (count < BATCH)
			usleep(20);
	}
	free(messages);
	return NULL;
}

static void generator_start(struct park_rig *rig, const struct park_rig_load *load)
{
	rig->load = *load;
	rig->sent = 0;
	atomic_store(&rig->is_stopped, false);
	if (pthread_create(&rig->generator, NULL, generate, rig) != 0)
		fail("the generator");
}

static void generator_stop(struct park_rig *rig)
{
	atomic_store(&rig->is_stopped, true);
	pthread_join(rig->generator, NULL);
}

/* ---- The bare loop ---- */

/* Sends what it has read: how many. */
static int pass(int tap, int port, struct message *messages)
{
	struct mmsghdr vector[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int count = 0, sent = 0;

	for (ssize_t length; count < BATCH; count++) {
		length = read(tap, &messages[count], sizeof(*messages));
		if (length < 0)
			break;
		iov[count] = (struct iovec){ .iov_base = &messages[count], .iov_len = length };
		vector[count].msg_hdr.msg_iov = &iov[count];
		vector[count].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		int r = sendmmsg(port, vector + sent, count - sent, 0);

		if (r < 0)
			fail("the bare loop");
		sent += r;
	}
	return sent;
}

double park_rig_bare_loop(struct park_rig *rig, const struct park_rig_load *load, double sec)
{
	const struct us_packet_config config = { .kind = US_PACKET_SEND,
						 .port = if_nametoindex("primary") };
	struct message *messages = calloc(BATCH, sizeof(*messages));
	struct park_rig_result ignored = { 0 };
	struct us_reason reason = { .text = "" };
	struct us_link standby, tap;
	uint64_t begin_usec, now_usec, passed = 0;
	char command[100];
	int fd, port;

	check("standby", us_link_get("standby", &standby, &reason), &reason);
	check("tap", us_park_tap_new(&standby, QUEUE_FRAMES, &fd, &tap, &reason), &reason);
	check("port", us_packet_open(&config, &port), NULL);
	snprintf(command, sizeof(command),
		 "bridge fdb replace 02:00:00:00:00:01 dev %s master static", tap.name);
	run(command);
	generator_start(rig, load);
	begin_usec = us_now_usec();
	do {
		passed += pass(fd, port, messages);
		now_usec = us_now_usec();
	} while (now_usec < begin_usec + sec * 1e6);
	generator_stop(rig);
	close(port);
	close(fd);
	free(messages);
	guest_count(rig, &ignored);
	return passed * 1e6 / (now_usec - begin_usec);
}

/* ---- Parking ---- */

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
	struct park_rig *rig = userdata;

	check("release", r, reason);
	rig->is_released = true;
}

static uint64_t processor_nsec(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* One turn of the loop. */
static void turn(struct park_rig *rig, uint64_t timeout_usec)
{
	int r = sd_event_prepare(rig->loop);
	uint64_t begin_nsec;

	if (r == 0)
		r = sd_event_wait(rig->loop, timeout_usec);
	begin_nsec = processor_nsec();
	if (r > 0)
		r = sd_event_dispatch(rig->loop);
	if (r < 0)
		fail("the loop");
	begin_nsec = processor_nsec() - begin_nsec;
	if (rig->turn_nsec < begin_nsec)
		rig->turn_nsec = begin_nsec;
}

static void run_for(struct park_rig *rig, double usec)
{
	uint64_t end_usec = us_now_usec() + usec, now_usec;

	while ((now_usec = us_now_usec()) < end_usec)
		turn(rig, end_usec - now_usec);
}

static void release(struct park_rig *rig)
{
	struct us_reason reason = { .text = "" };
	int r = us_steer_to(rig->steer, US_PATH_PRIMARY, &reason);
	uint64_t end_usec = us_now_usec() + RELEASE_MAX_USEC;

	if (r == US_PARK_RELEASING)
		while (!rig->is_released && us_now_usec() < end_usec)
			turn(rig, end_usec - us_now_usec());
	else
		check("release", r, &reason);
	if (r != 0 && !rig->is_released)
		check("release", -ETIMEDOUT, NULL);
}

struct park_rig_result park_rig_hold(struct park_rig *rig, const struct park_rig_load *load,
				     double sec, bool is_alone)
{
	struct park_rig_result result = { 0 };
	struct us_park_counts before, counts;
	struct us_reason reason = { .text = "" };
	uint64_t begin_usec, release_usec;

	rig->is_released = false;
	rig->turn_nsec = rig->budget.used_max = 0;
	us_steer_counts(rig->steer, &before);
	check("park", us_steer_to(rig->steer, US_PATH_PARKED, &reason), &reason);
	begin_usec = us_now_usec();
	generator_start(rig, load);
	run_for(rig, sec * 1e6);
	if (is_alone)
		generator_stop(rig);
	release_usec = us_now_usec();
	release(rig);
	result.release_sec = (us_now_usec() - release_usec) / 1e6;
	if (!is_alone)
		run_for(rig, SETTLE_USEC);
	if (!is_alone)
		generator_stop(rig);
	run_for(rig, SETTLE_USEC); /* late frames */
	us_steer_counts(rig->steer, &counts);
	result.sent = rig->sent;
	result.parked = counts.parked - before.parked;
	result.overflowed = counts.overflowed - before.overflowed;
	result.hold_sec = (release_usec - begin_usec) / 1e6;
	result.turn_sec = rig->turn_nsec / 1e9;
	result.memory = rig->budget.used_max;
	guest_count(rig, &result);
	return result;
}

/* ---- Life ---- */

static int open_source(void)
{
	const struct us_packet_config config = { .kind = US_PACKET_SEND,
						 .port = if_nametoindex("source") };
	const int one = 1;
	int fd = -1, r = us_packet_open(&config, &fd);

	if (r < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		fail("the source");
	return fd;
}

void park_rig_open(struct park_rig *rig, uint64_t park_bytes)
{
	struct us_steer_config config = { .standby_port = "standby",
					  .primary_port = "primary",
					  .steered = on_steered,
					  .userdata = rig };
	struct us_reason reason = { .text = "" };

	*rig = (struct park_rig){ .budget.limit = UINT64_MAX };
	run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
	    "for pair in standby:standby-end primary:guest source-end:source; do "
	    "ip link add ${pair%:*} type veth peer ${pair#*:} && "
	    "ip link set ${pair#*:} up && ip link set ${pair%:*} up master br0 && "
	    "bridge link set dev ${pair%:*} learning off || exit 1; done; "
	    "until [ \"$(bridge link | grep -c 'state forwarding')\" = 3 ]; do sleep 0.01; done");
	rig->source = open_source();
	guest_open(rig);
	if (sd_event_new(&rig->loop) < 0)
		fail("the loop");
	config.loop = rig->loop;
	config.limits.budget = &rig->budget;
	config.limits.bytes = park_bytes;
	config.limits.frames = UINT32_MAX;
	memcpy(config.mac, mac, sizeof(mac));
	check("steer", us_steer_new_bridge(&rig->steer, &config, &reason), &reason);
}

void park_rig_close(struct park_rig *rig)
{
	us_steer_free(rig->steer);
	sd_event_unref(rig->loop);
	munmap(rig->ring, (size_t)RING_BLOCK * RING_BLOCKS);
	close(rig->guest);
	close(rig->source);
	run("ip link del br0; ip link del source; ip link del guest; ip link del standby");
}
