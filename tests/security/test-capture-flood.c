/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * During a migration, the daemon captures frames that leave through the VM's tap. A sender that is
 * as fast as the daemon reads must not block the loop, clients or parked frames. The flood is real:
 * the test puts another frame into the socket before each read.
 */
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/undelivered/capture.h"
#include "net/frame/packet.h"
#include "support/client-turn.h"
#include "support/testbed.h"

enum {
	FRAME_BYTES = 60,
	FLOOD_MAX = 100 * 1000, /* frames in one turn of the loop: it does not return */
};

static sd_event *loop;
static int port;
static bool is_flooding;
static unsigned int reads;

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);

static void go_out(uint8_t number)
{
	uint8_t bytes[sizeof(struct virtio_net_hdr) + FRAME_BYTES] = { 0 };

	memcpy(bytes + sizeof(struct virtio_net_hdr), guest_mac, 6);
	bytes[sizeof(struct virtio_net_hdr) + 12] = 8;
	bytes[sizeof(struct virtio_net_hdr) + 50] = number;
	assert_int_equal(send(port, bytes, sizeof(bytes), 0), sizeof(bytes));
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	if (is_flooding) {
		go_out(0);
		/* It may have to wait: while the kernel itself sends there, frames are queued. */
		assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
	}
	if (is_flooding && ++reads > FLOOD_MAX)
		fail_msg("it reads as long as somebody sends");
	return __real_recvmsg(fd, message, flags);
}

static struct us_capture *capture_new(void)
{
	struct us_capture *capture = NULL;
	struct us_reason reason = { .text = "" };

	if (us_capture_new(&capture, loop, "tap", guest_mac, -1, &reason) != 0)
		fail_msg("%s", reason.text);
	return capture;
}

static void test_what_is_asked_is_answered(void **state)
{
	struct us_capture *capture = capture_new();
	const struct us_frame *frames[2];
	uint64_t first;

	go_out(0);
	first = us_capture_newest(capture, NULL);
	go_out(1);
	assert_int_equal(us_capture_after(capture, first, NULL, frames, 2), 1);
	is_flooding = true;
	assert_null(us_capture_before(capture, NULL)); /* more have left since */
	is_flooding = false;
	go_out(2);
	assert_int_equal(us_capture_before(capture, NULL)->bytes[50], 2);
	assert_int_equal(us_capture_after(capture, first, NULL, frames, 2), -2);
	assert_false(
		us_capture_took_one_buffer_each(capture, first, us_capture_newest(capture, NULL)));
	us_capture_free(capture);
}

static void test_clients_are_served(void **state)
{
	struct us_capture *capture = capture_new();

	reads = 0;
	go_out(1);
	is_flooding = true;
	/* The flood begins before the client comes. */
	assert_true(sd_event_run(loop, UINT64_MAX) > 0);
	assert_true(client_turn_comes(loop));
	is_flooding = false;
	assert_true(reads > 0);
	us_capture_free(capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_is_answered),
		cmocka_unit_test(test_clients_are_served),
	};
	int tap, result;

	if (!testbed_enter())
		return TESTBED_SKIP;
	tap = testbed_tap("tap", NULL);
	assert_int_equal(us_packet_open(&(struct us_packet_config){ .kind = US_PACKET_SEND,
								    .port = if_nametoindex("tap") },
					&port),
			 0);
	assert_true(sd_event_new(&loop) >= 0);
	result = cmocka_run_group_tests_name("capture-flood", tests, NULL, NULL);
	sd_event_unref(loop);
	close(port);
	close(tap);
	return result;
}
