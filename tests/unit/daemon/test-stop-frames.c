/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames at the stop: which frames QEMU did not deliver, from the tap's queue, from QEMU's hands,
 * or from neither. The test plays QEMU: it reads frames from the standby's tap, has
 * the receive queue of a guest in its memory, and lends the daemon its descriptor of the tap.
 */
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/migration/migration-private.h"
#include "fake-vmm.h"
#include "net/undelivered/drain.h"
#include "support/testbed.h"
#include "util/clock.h"

enum {
	FRAME_BYTES = 100,
	TAKEN_MAX = 16,
	WAIT_USEC = 5 * 1000 * 1000,
	RING_SIZE = 4,
	DISPLACEMENT = 0x1000,
};

static struct us_daemon the_daemon;
static struct us_host_vm *vm;
static struct us_host_pair *pair;
static int standby, primary; /* the taps of QEMU; it reads the first one */
static int other;	     /* somebody else's port */
static uint8_t next_frame;   /* to send */
static uint8_t taken[TAKEN_MAX];
static size_t taken_count;
static bool is_collected;

/* A part of the guest's memory. */
static struct {
	struct vring_desc descriptors[RING_SIZE];
	struct {
		__virtio16 flags, idx;
		struct vring_used_elem ring[RING_SIZE];
	} used; /* struct vring_used */
	uint8_t buffer[sizeof(struct virtio_net_hdr_v1) + FRAME_BYTES];
} guest;

static void run_until(const bool *condition)
{
	uint64_t end = us_now_usec() + WAIT_USEC;

	while (!*condition) {
		assert_true(us_now_usec() < end);
		assert_true(sd_event_run(the_daemon.loop, 10 * 1000) >= 0);
	}
}

static void run_for(uint64_t usec)
{
	uint64_t end = us_now_usec() + usec;

	while (us_now_usec() < end)
		assert_true(sd_event_run(the_daemon.loop, 1000) >= 0);
}

/* ---- Frames ---- */

/* Frames have numbers, from 1. */
static void make_frame(uint8_t number, uint8_t ret_bytes[FRAME_BYTES])
{
	memset(ret_bytes, number, FRAME_BYTES);
	memcpy(ret_bytes, guest_mac, 6);
	memcpy(ret_bytes + 6, (uint8_t[]){ 2, 9, 9, 9, 9, 9, 0x88, 0xb5 }, 8);
}

static void send_frames(unsigned count)
{
	uint8_t bytes[FRAME_BYTES];

	while (count-- > 0) {
		make_frame(++next_frame, bytes);
		assert_int_equal(write(other, bytes, sizeof(bytes)), sizeof(bytes));
	}
	run_for(20 * 1000); /* the capture has them */
}

/* QEMU reads a frame. */
static void read_frames(unsigned count)
{
	uint8_t bytes[FRAME_BYTES];

	while (count-- > 0)
		assert_int_equal(testbed_next(standby, bytes, sizeof(bytes), 1000), FRAME_BYTES);
}

/*
 * The guest has received @number frames, each in one buffer; its memory still has the last one. The
 * frames do not begin at the same address in the guest as in the process.
 */
static void deliver(uint8_t number)
{
	make_frame(number, guest.buffer + sizeof(struct virtio_net_hdr_v1));
	guest.used.idx = number;
	guest.used.ring[(number - 1) % RING_SIZE].id = 1;
	guest.descriptors[1].addr = (uintptr_t)guest.buffer - DISPLACEMENT;
}

static void on_frame(void *userdata, const struct us_frame *frame)
{
	assert_true(taken_count < TAKEN_MAX);
	assert_int_equal(frame->length, FRAME_BYTES);
	taken[taken_count++] = frame->bytes[FRAME_BYTES - 1];
}

static void on_collected(struct us_host_vm *of)
{
	is_collected = true;
}

/* The guest stops, two more frames come, and QEMU has answered since: what follows the guest? */
static void collect(void)
{
	is_collected = false;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED, .on = true });
	assert_non_null(us_host_pair_park(pair));
	send_frames(2);
	us_guest_stop_collect(vm, on_collected);
	run_until(&is_collected);
	us_park_take(us_host_pair_park(pair), on_frame, NULL);
}

static void stop(void)
{
	us_stop_frames_note_stop(us_migration_of_pair(pair)->frames);
}

/* Frames @first … @last, all of them and no others. */
static void check_taken(uint8_t first, uint8_t last)
{
	for (size_t i = 0; i < taken_count; i++)
		assert_int_equal(taken[i], first + i);
	assert_int_equal(taken_count, last - first + 1);
}

/* ---- Tests ---- */

/* QEMU read frame 4 before the stop and frame 5 after it; 6 to 8 wait in the tap. */
static void test_consumed_and_waiting(void **state)
{
	send_frames(8);
	read_frames(4);
	deliver(3);
	stop();
	read_frames(1);
	collect();
	check_taken(4, 10);
}

static void test_waiting_only(void **state)
{
	send_frames(5);
	read_frames(3);
	deliver(3);
	stop();
	collect();
	check_taken(4, 7);
}

static void test_consumed_only(void **state)
{
	send_frames(5);
	read_frames(4);
	deliver(3);
	stop();
	read_frames(1);
	collect();
	check_taken(4, 7);
}

static void test_all_delivered(void **state)
{
	send_frames(5);
	read_frames(5);
	deliver(5);
	stop();
	collect();
	check_taken(6, 7);
}

/* QEMU reads seven frames, of which the first four are sampled; the guest does not get 6 and 7. */
static void receive_sampled(void)
{
	for (uint8_t i = 1; i <= 4; i++) {
		send_frames(1);
		read_frames(1);
		deliver(i);
		run_for(60 * 1000); /* a sample is taken */
	}
	send_frames(5);
	read_frames(3); /* 5 is delivered, 6 and 7 are not */
	deliver(5);
}

/* The guest has used the memory again; samples of before tell by the index of its ring. */
static void test_memory_used_again(void **state)
{
	receive_sampled();
	memset(guest.buffer, 0xee, sizeof(guest.buffer));
	stop();
	collect();
	check_taken(6, 11);
}

/* So they do if the buffer cannot be read. */
static void test_buffer_elsewhere(void **state)
{
	receive_sampled();
	guest.descriptors[1].addr = UINT64_MAX - DISPLACEMENT;
	stop();
	collect();
	check_taken(6, 11);
}

/* Nothing tells what the guest received: frames in the tap prove that one was consumed. */
static void test_unknown_with_waiting(void **state)
{
	fake_script.refusal[FAKE_LOCATE_QUEUE] = "no such command";
	send_frames(5);
	read_frames(3);
	stop();
	collect();
	check_taken(3, 7);
}

/* … and if none are, the tap's count does. */
static void test_unknown_and_read_after_stop(void **state)
{
	fake_script.refusal[FAKE_LOCATE_QUEUE] = "no such command";
	send_frames(5);
	read_frames(4);
	stop();
	read_frames(1);
	collect();
	check_taken(5, 7);
}

static void test_unknown_and_nothing_read(void **state)
{
	fake_script.refusal[FAKE_LOCATE_QUEUE] = "no such command";
	send_frames(5);
	read_frames(5);
	stop();
	collect();
	check_taken(6, 7);
}

/* Others' frames reach the destination by themselves. */
static void test_broadcast(void **state)
{
	uint8_t bytes[FRAME_BYTES];

	send_frames(3);
	read_frames(3);
	deliver(3);
	make_frame(0, bytes);
	memset(bytes, 0xff, 6);
	assert_int_equal(write(other, bytes, sizeof(bytes)), sizeof(bytes));
	stop();
	collect();
	check_taken(4, 5);
}

/* ---- Life ---- */

static void add_pair(void)
{
	struct us_pair_spec spec = { .name = "web0",
				     .standby = "net0",
				     .port = "standby",
				     .queue_pairs = 1,
				     .mode = US_MODE_COMBINED };

	memcpy(spec.mac, guest_mac, sizeof(spec.mac));
	assert_int_equal(us_pair_options_read(NULL, &spec.options, NULL), 0);
	assert_int_equal(
		us_primary_spec_parse("emulated:vmxnet3,port=primary", &spec.primary, NULL), 0);
	assert_int_equal(us_host_vm_add_pair(vm, &spec, &(struct us_pair_start){ 0 }), 0);
	pair = us_pair_vm_next(us_host_vm_facts(vm), NULL);
	assert_non_null(us_host_pair_steer(pair));
}

static int begin(void **state)
{
	next_frame = 0;
	taken_count = 0;
	fake_script = (struct fake_script){ .pid = getpid(),
					    .refusal[FAKE_HAS_DEVICE] = "no such device" };
	memset(&guest, 0, sizeof(guest));
	fake_script.queue = (struct us_vmm_queue){ .used = (uintptr_t)&guest.used,
						   .descriptors = (uintptr_t)guest.descriptors,
						   .displacement = DISPLACEMENT,
						   .size = RING_SIZE };
	memcpy(fake_script.mac, guest_mac, sizeof(fake_script.mac));
	fake_script.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	standby = testbed_tap("standby", "br0");
	primary = testbed_tap("primary", "br0");
	other = testbed_tap("other", "br0");
	the_daemon = (struct us_daemon){ .state_dir = "/run/netns" };
	assert_int_equal(us_daemon_init(&the_daemon), 0);
	assert_int_equal(us_host_vm_new(&vm, the_daemon.vms, "web", "/none"), 0);
	fake_emit((struct us_vmm_event){ .type = US_VMM_ADOPTED, .state = US_VM_RUNNING });
	add_pair();
	run_for(10 * 1000);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_PREPARE });
	us_stop_method_prepare(pair);
	assert_non_null(us_migration_of_pair(pair)->drain);
	while (!us_drain_is_ready(us_migration_of_pair(pair)->drain))
		run_for(1000);
	us_guest_stop_prepare(vm);
	assert_int_equal(us_migration_of_pair(pair)->method, US_STOP_METHOD_DRAIN);
	return 0;
}

static int end(void **state)
{
	us_guest_stop_forget(vm);
	us_daemon_deinit(&the_daemon);
	close(fake_script.pidfd);
	close(standby);
	close(primary);
	close(other);
	testbed_run("ip link del br0");
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

/* Its own frames, of IPv6, would reach the taps as well. */
static void silence_kernel(void)
{
	FILE *setting = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (setting) {
		fputs("1", setting);
		fclose(setting);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_consumed_and_waiting),
		TEST(test_waiting_only),
		TEST(test_consumed_only),
		TEST(test_all_delivered),
		TEST(test_memory_used_again),
		TEST(test_buffer_elsewhere),
		TEST(test_unknown_with_waiting),
		TEST(test_unknown_and_read_after_stop),
		TEST(test_unknown_and_nothing_read),
		TEST(test_broadcast),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	silence_kernel();
	return cmocka_run_group_tests_name("stop-frames", tests, NULL, NULL);
}
