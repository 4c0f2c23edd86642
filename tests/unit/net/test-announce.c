/* SPDX-License-Identifier: BSD-3-Clause */
/* Announcements leave by the port that leads away from the host, and by no other. */
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/presence/announce.h"
#include "net/frame/frame.h"
#include "support/testbed.h"
#include "util/clock.h"

enum {
	ROUNDS = 5, /* of eight */
};

struct bed {
	sd_event *loop;
	int standby, primary, outside;
	unsigned int rarps, arps, advertisements;
	uint64_t seen_usec[ROUNDS];
};

static int on_outside(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	static const uint8_t ipv4[4] = { 192, 0, 2, 7 };
	uint8_t frame[2000], expected[US_FRAME_MAX], ipv6[16];
	struct bed *bed = userdata;
	ssize_t length;

	us_frame_link_local(guest_mac, ipv6);
	while ((length = recv(fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		if (memcmp(frame + 6, guest_mac, 6) != 0)
			continue;
		if ((size_t)length == us_frame_rarp(expected, guest_mac) &&
		    memcmp(frame, expected, length) == 0) {
			bed->seen_usec[bed->rarps] = us_now_usec();
			if (++bed->rarps == ROUNDS)
				sd_event_exit(bed->loop, 0);
		} else if ((size_t)length == us_frame_arp_announcement(expected, guest_mac, ipv4) &&
			   memcmp(frame, expected, length) == 0) {
			bed->arps++;
		} else {
			assert_int_equal(length, us_frame_advertisement(expected, guest_mac, ipv6));
			assert_memory_equal(frame, expected, length);
			bed->advertisements++;
		}
	}
	return 0;
}

static int open_outside(void)
{
	const struct sockaddr_ll address = { .sll_family = AF_PACKET,
					     .sll_protocol = htobe16(ETH_P_ALL),
					     .sll_ifindex = if_nametoindex("outside") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int setup(void **state)
{
	static struct bed bed;

	bed = (struct bed){ 0 };
	testbed_run("ip link add br0 type bridge mcast_snooping 0");
	testbed_run("ip link add uplink type veth peer name outside");
	testbed_run("ip link set uplink master br0 up");
	testbed_run("ip link set outside up");
	testbed_run("ip link set br0 up");
	bed.standby = testbed_tap("standby", "br0");
	bed.primary = testbed_tap("primary", "br0");
	bed.outside = open_outside();
	assert_true(sd_event_new(&bed.loop) >= 0);
	assert_true(sd_event_add_io(bed.loop, NULL, bed.outside, POLLIN, on_outside, &bed) >= 0);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	sd_event_unref(bed->loop);
	close(bed->standby);
	close(bed->primary);
	close(bed->outside);
	testbed_run("ip link del uplink");
	testbed_run("ip link del br0");
	return 0;
}

/* Frames in the guest's name at its own tap. */
static unsigned int own_frames(int tap)
{
	unsigned int count = 0;
	uint8_t frame[2000];
	ssize_t length;

	while ((length = read(tap, frame, sizeof(frame))) > 0)
		count += length > 12 && memcmp(frame + 6, guest_mac, 6) == 0;
	return count;
}

static void test_announced_outside_only(void **state)
{
	US_CLEANUP(us_announce_freep) struct us_announce *announce = NULL;
	struct bed *bed = *state;
	struct us_reason reason = { .text = "" };
	char text[65536];

	if (us_announce_new(&announce, bed->loop, guest_mac, "standby", "primary", &reason) != 0)
		fail_msg("%s", reason.text);
	us_announce_add_address(announce, "192.0.2.7");
	us_announce_add_address(announce, "fe80::ff:fe00:1");
	us_announce_add_address(announce, "no address");
	assert_int_equal(sd_event_loop(bed->loop), 0);

	assert_int_equal(bed->rarps, ROUNDS);
	/* Frames after the last RARP of a round may not have been read yet. */
	assert_true(bed->arps >= ROUNDS - 1 && bed->advertisements >= ROUNDS - 1);
	for (int i = 1; i < ROUNDS; i++)
		assert_true(bed->seen_usec[i] - bed->seen_usec[0] >=
			    ((1u << i) - 1) * 50 * US_USEC_PER_MSEC);
	assert_int_equal(own_frames(bed->standby), 0);
	assert_int_equal(own_frames(bed->primary), 0);
	testbed_read(text, sizeof(text), "bridge fdb show br br0");
	assert_null(strstr(text, "02:00:00:00:00:01"));
}

/* Certain addresses stay; a hint replaces only a hint. */
static void test_hints_displace_nothing_certain(void **state)
{
	struct us_addresses addresses = { .mac = { 0 } };
	uint8_t frame[US_FRAME_MAX], other[6] = { 2, 9, 9, 9, 9, 9 };
	char text[US_ADDRESS_TEXT_MAX];

	memcpy(addresses.mac, guest_mac, 6);
	for (uint8_t i = 1; i <= 9; i++)
		us_addresses_learn(&addresses, frame,
				   us_frame_arp_probe(frame, other, guest_mac, other,
						      (uint8_t[]){ 192, 0, 2, 100 + i }));
	assert_int_equal(addresses.known[0].family, 0); /* it names no target MAC */
	for (uint8_t i = 1; i <= 9; i++) {
		size_t length = us_frame_arp_probe(frame, other, guest_mac, other,
						   (uint8_t[]){ 192, 0, 2, 100 + i });

		memcpy(frame + 32, guest_mac, 6);
		us_addresses_learn(&addresses, frame, length);
		if (i == 5)
			us_addresses_learn(&addresses, frame,
					   us_frame_arp_announcement(frame, guest_mac,
								     (uint8_t[]){ 192, 0, 2, 7 }));
	}
	assert_int_equal(addresses.known[US_ADDRESSES_IPV4_MAX - 1].family, AF_INET);
	for (size_t i = 0; i < US_ADDRESSES_IPV4_MAX; i++)
		assert_true(addresses.known[i].is_certain == (addresses.known[i].bytes[3] == 7));
	for (int i = 0; i < 2 * US_ADDRESSES_IPV4_MAX; i++) {
		snprintf(text, sizeof(text), "198.51.100.%d", i);
		assert_true(us_addresses_add(&addresses, text) == (i < US_ADDRESSES_IPV4_MAX - 1));
	}
}

static void test_refused(void **state)
{
	struct us_announce *announce = NULL;
	struct bed *bed = *state;
	struct us_reason reason = { .text = "" };

	assert_int_equal(us_announce_new(&announce, bed->loop, guest_mac, "none", NULL, &reason),
			 US_REFUSED);
	assert_non_null(strstr(reason.text, "none"));
	assert_int_equal(us_announce_new(&announce, bed->loop, guest_mac, "outside", NULL, &reason),
			 US_REFUSED);
	assert_non_null(strstr(reason.text, "not a bridge port"));
	assert_null(announce);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_announced_outside_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test(test_hints_displace_nothing_certain),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
