/* SPDX-License-Identifier: BSD-3-Clause */
/* The most recent frames that left through a tap, with one queue and with two. */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/undelivered/capture.h"
#include "net/frame/packet.h"
#include "support/testbed.h"

enum {
	FRAME_BYTES = 60,
};

struct bed {
	sd_event *loop;
	int tap, other_queue, port;
};

static int open_queue(const char *name)
{
	struct ifreq request = { .ifr_flags =
					 IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

/* Only the frames of a test leave through the interface. */
static void be_silent(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

static int setup(void **state)
{
	static struct bed bed;

	bed.tap = open_queue("tap");
	bed.other_queue = open_queue("tap");
	be_silent("tap");
	testbed_run("ip link set tap up");
	assert_true(sd_event_new(&bed.loop) >= 0);
	assert_int_equal(us_packet_open(&(struct us_packet_config){ .kind = US_PACKET_SEND,
								    .port = if_nametoindex("tap") },
					&bed.port),
			 0);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	sd_event_unref(bed->loop);
	close(bed->tap);
	close(bed->other_queue);
	close(bed->port);
	return 0;
}

/* A frame of the flow @flow, which decides about the queue. */
static struct us_frame frame_of(uint8_t flow, uint8_t number)
{
	static uint8_t bytes[2][FRAME_BYTES];
	static int i;
	uint8_t *b = bytes[++i % 2];

	memset(b, 0, FRAME_BYTES);
	memcpy(b, guest_mac, 6);
	memcpy(b + 6, (uint8_t[]){ 2, 9, 9, 9, 9, 9, 8, 0, 0x45 }, 9);
	b[17] = 46;
	b[23] = 17;
	b[29] = flow;
	b[33] = 7;
	b[50] = number;
	return (struct us_frame){ .bytes = b, .length = FRAME_BYTES };
}

static void go_out_to(struct bed *bed, const uint8_t mac[6], uint8_t flow, uint8_t number)
{
	struct us_frame frame = frame_of(flow, number);
	uint8_t bytes[sizeof(frame.header) + FRAME_BYTES] = { 0 };

	memcpy(bytes + sizeof(frame.header), frame.bytes, frame.length);
	memcpy(bytes + sizeof(frame.header), mac, 6);
	assert_int_equal(send(bed->port, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static void go_out(struct bed *bed, uint8_t flow, uint8_t number)
{
	go_out_to(bed, guest_mac, flow, number);
}

/* Whether a frame to the guest is in a queue; skips the kernel's own frames. */
static bool take_from(int queue)
{
	uint8_t buffer[2000];
	ssize_t length;

	while ((length = read(queue, buffer, sizeof(buffer))) > 0)
		if (memcmp(buffer + sizeof(struct virtio_net_hdr), guest_mac, 6) == 0)
			return true;
	return false;
}

static struct us_capture *capture_new(struct bed *bed, int queue)
{
	struct us_reason reason = { .text = "" };
	struct us_capture *capture = NULL;

	if (us_capture_new(&capture, bed->loop, "tap", guest_mac, queue, &reason) != 0)
		fail_msg("%s", reason.text);
	return capture;
}

static void test_between(void **state)
{
	struct bed *bed = *state;
	struct us_capture *capture = capture_new(bed, -1);
	const struct us_frame *frames[2];
	struct us_frame one, other;
	uint64_t first = us_capture_newest(capture, NULL);

	for (uint8_t i = 1; i <= 5; i++)
		go_out(bed, 1, i);
	one = frame_of(1, 2);
	other = frame_of(1, 5);
	assert_int_equal(us_capture_number(capture, one.bytes, 55, &other), 2 + first);
	assert_int_equal(us_capture_newest(capture, &other), 4 + first);
	assert_int_equal(us_capture_after(capture, 2 + first, &other, frames, 2), 2);
	assert_int_equal(frames[0]->bytes[50], 3);
	assert_int_equal(frames[1]->bytes[50], 4);
	assert_int_equal(us_capture_before(capture, &other)->bytes[50], 4);
	assert_int_equal(us_capture_before(capture, NULL)->bytes[50], 5);
	/* More than fit, and none. */
	assert_int_equal(us_capture_after(capture, 2 + first, NULL, frames, 2), -2);
	assert_int_equal(us_capture_after(capture, 5 + first, NULL, frames, 2), 0);
	assert_int_equal(us_capture_after(capture, 6 + first, NULL, frames, 2), -2);
	assert_int_equal(us_capture_after(capture, 0, NULL, frames, 2), -2);
	/* It left, but not before that one. */
	assert_int_equal(us_capture_number(capture, other.bytes, 55, &one), 0);
	other = frame_of(1, 9);
	assert_false(us_capture_has(capture, &other));
	assert_null(us_capture_before(capture, &other));
	assert_int_equal(us_capture_newest(capture, &other), 0);
	assert_int_equal(us_capture_number(capture, one.bytes, 55, &other), 0);
	assert_int_equal(us_capture_after(capture, 2 + first, &other, frames, 2), -2);
	us_capture_free(capture);
}

/* A guest may or may not receive a multicast frame: it is never undelivered, and ends a count. */
static void test_to_others(void **state)
{
	static const uint8_t group[6] = { 0x01, 0x00, 0x5e, 1, 2, 3 };
	struct bed *bed = *state;
	struct us_capture *capture = capture_new(bed, -1);
	uint64_t first = us_capture_newest(capture, NULL);
	const struct us_frame *frames[2];

	for (uint8_t i = 1; i <= 2; i++)
		go_out(bed, 1, i);
	assert_int_equal(us_capture_newest(capture, NULL), first + 2);
	assert_true(us_capture_took_one_buffer_each(capture, first, first + 2));
	assert_false(
		us_capture_took_one_buffer_each(capture, first, first + 3)); /* has not left yet */
	for (uint8_t i = 0; i < 3; i++)
		go_out_to(bed, group, 1, i);
	go_out(bed, 1, 3);
	assert_int_equal(us_capture_after(capture, first + 1, NULL, frames, 2), 2);
	assert_int_equal(frames[0]->bytes[50], 2);
	assert_int_equal(frames[1]->bytes[50], 3);
	go_out_to(bed, (uint8_t[]){ 255, 255, 255, 255, 255, 255 }, 1, 4);
	assert_int_equal(us_capture_newest(capture, NULL), first + 7);
	assert_true(us_capture_took_one_buffer_each(capture, first, first + 2));
	assert_false(us_capture_took_one_buffer_each(capture, first, first + 3));
	assert_false(us_capture_took_one_buffer_each(capture, first + 4, first + 6));
	assert_true(us_capture_took_one_buffer_each(capture, first + 5, first + 7));
	/* An odd frame counts even when it is no longer in the ring. */
	for (unsigned i = 0; i < 1500; i++) {
		go_out(bed, 1, i);
		us_capture_newest(capture, NULL);
	}
	assert_true(us_capture_took_one_buffer_each(capture, first + 5, first + 1507));
	assert_false(us_capture_took_one_buffer_each(capture, first + 4, first + 1507));
	us_capture_free(capture);
}

static void test_one_queue(void **state)
{
	struct bed *bed = *state;
	struct us_capture *captures[] = { capture_new(bed, 0), capture_new(bed, 1) };
	unsigned int seen[2] = { 0 };

	for (uint8_t flow = 1; flow <= 32; flow++) {
		go_out(bed, flow, flow);
		for (int queue = 0; queue < 2; queue++) {
			const struct us_frame *last = us_capture_before(captures[queue], NULL);
			bool is_there = take_from(queue ? bed->other_queue : bed->tap);

			assert_true(is_there == (last && last->bytes[50] == flow));
			seen[queue] += is_there;
		}
	}
	assert_int_equal(seen[0] + seen[1], 32);
	assert_true(seen[0] > 0 && seen[1] > 0);
	us_capture_free(captures[0]);
	us_capture_free(captures[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_queue, setup, teardown),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
