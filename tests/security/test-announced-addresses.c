/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host announces only addresses that the guest itself claims, that its network lets it claim, and
 * that can be a guest's. It announces none that a neighbour claims for the guest, that a filter
 * drops, or that another host invents.
 */
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/presence/announce.h"
#include "net/presence/claims.h"
#include "net/frame/frame.h"
#include "support/testbed.h"

static const uint8_t neighbour[6] = { 2, 9, 9, 9, 9, 9 };

struct bed {
	sd_event *loop;
	int guest, other; /* taps: a frame that is written there comes in */
	int wire;	  /* a packet socket beyond the uplink */
	struct us_claims *claims;
};

static int setup(void **state)
{
	static struct bed bed;
	struct us_reason reason = { .text = "" };
	struct sockaddr_ll wire = { .sll_family = AF_PACKET };

	testbed_run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
		    "ip address add 192.0.2.1/24 dev br0");
	testbed_run("ip link add uplink up master br0 type veth peer name wire && "
		    "ip link set wire up");
	bed.guest = testbed_tap("guest", "br0");
	bed.other = testbed_tap("other", "br0");
	bed.wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	wire.sll_ifindex = if_nametoindex("wire");
	assert_int_equal(bind(bed.wire, (struct sockaddr *)&wire, sizeof(wire)), 0);
	assert_true(sd_event_new(&bed.loop) >= 0);
	if (us_claims_new(&bed.claims, bed.loop, "guest", guest_mac, &reason) != 0)
		fail_msg("%s", reason.text);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_claims_free(bed->claims);
	sd_event_unref(bed->loop);
	close(bed->guest);
	close(bed->other);
	close(bed->wire);
	testbed_run("ip link del uplink && ip link del br0");
	return 0;
}

/* A bridge forwards during the write, so all frames are there afterwards. */
static void come_in(int tap, const uint8_t *frame, size_t length)
{
	assert_int_equal(write(tap, frame, length), length);
}

static void announce_from(int tap, const uint8_t mac[6], uint8_t last)
{
	uint8_t frame[US_FRAME_MAX];

	come_in(tap, frame, us_frame_arp_announcement(frame, mac, (uint8_t[]){ 192, 0, 2, last }));
}

static void expect_none(struct bed *bed)
{
	char text[US_ADDRESS_TEXT_MAX];

	if (us_claims_address(bed->claims, 0, text))
		fail_msg("%s would be announced", text);
}

static void expect(struct bed *bed, size_t i, const char *address)
{
	char text[US_ADDRESS_TEXT_MAX] = "nothing";

	us_claims_address(bed->claims, i, text);
	assert_string_equal(text, address);
}

static void test_what_the_guest_says(void **state)
{
	struct bed *bed = *state;
	uint8_t frame[US_FRAME_MAX], ipv6[16];

	announce_from(bed->guest, guest_mac, 7);
	us_frame_link_local(guest_mac, ipv6);
	come_in(bed->guest, frame, us_frame_advertisement(frame, guest_mac, ipv6));
	expect(bed, 0, "192.0.2.7");
	expect(bed, 1, "fe80::ff:fe00:1");
	assert_false(us_claims_address(bed->claims, 2, (char[US_ADDRESS_TEXT_MAX]){ 0 }));
}

/* Requests and answers that name the guest's MAC, from a neighbour's tap and from the wire. */
static void test_what_a_neighbour_says_of_it(void **state)
{
	struct bed *bed = *state;
	uint8_t frame[US_FRAME_MAX];
	size_t length;

	for (uint8_t i = 0; i < 8; i++) {
		length = us_frame_arp_probe(frame, neighbour, guest_mac, neighbour,
					    (uint8_t[]){ 192, 0, 2, 100 + i });
		memcpy(frame + 32, guest_mac, 6);
		come_in(bed->other, frame, length);
		assert_int_equal(send(bed->wire, frame, length, 0), length);
		frame[21] = 2;			  /* an answer … */
		memcpy(frame + 22, guest_mac, 6); /* … as if from the guest */
		come_in(bed->other, frame, length);
	}
	expect_none(bed);
	announce_from(bed->guest, guest_mac, 7);
	expect(bed, 0, "192.0.2.7");
}

static void test_what_is_sent_with_its_mac(void **state)
{
	struct bed *bed = *state;

	for (uint8_t i = 0; i < 8; i++)
		announce_from(bed->other, guest_mac, 100 + i);
	expect_none(bed);
	announce_from(bed->guest, guest_mac, 7);
	expect(bed, 0, "192.0.2.7");
}

/* The MAC address inside the ARP packet is another one. */
static void test_what_it_says_of_others(void **state)
{
	struct bed *bed = *state;
	uint8_t frame[US_FRAME_MAX];
	size_t length = us_frame_arp_announcement(frame, neighbour, (uint8_t[]){ 192, 0, 2, 100 });

	memcpy(frame + 6, guest_mac, 6);
	come_in(bed->guest, frame, length);
	expect_none(bed);
}

static void test_what_a_filter_drops(void **state)
{
	struct bed *bed = *state;

	/* Drops (2) ARP whose sender (at 28) is 192.0.2.100, lets all else go on. */
	testbed_run("tc qdisc add dev guest clsact && tc filter add dev guest ingress bpf da "
		    "bytecode '4,32 0 0 28,21 0 1 3221226084,6 0 0 2,6 0 0 4294967295'");
	announce_from(bed->guest, guest_mac, 100);
	expect_none(bed);
	announce_from(bed->guest, guest_mac, 7);
	expect(bed, 0, "192.0.2.7");
}

static void test_what_is_of_another_network(void **state)
{
	struct bed *bed = *state;
	uint8_t frame[US_FRAME_MAX + 4];
	size_t length = us_frame_arp_announcement(frame, guest_mac, (uint8_t[]){ 192, 0, 2, 100 });

	memmove(frame + 16, frame + 12, length - 12);
	memcpy(frame + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	come_in(bed->guest, frame, length + 4);
	expect_none(bed);
}

static void test_what_is_the_hosts(void **state)
{
	struct bed *bed = *state;

	announce_from(bed->guest, guest_mac, 1);
	expect_none(bed);
}

/* Addresses that another host's daemon, or any caller of the API, can name. */
static void test_what_a_peer_names(void **state)
{
	static const char *const refused[] = {
		"0.0.0.0",     "0.1.2.3", "127.0.0.1",	"224.0.0.1", "255.255.255.255",
		"192.0.2.1",   "::",	  "::1",	"ff02::1",   "::ffff:192.0.2.7",
		"2001:db8::1", "fe80::",  "192.0.2.7 ", "",
	};
	struct us_addresses addresses = { .mac = { 0 } };

	for (size_t i = 0; i < US_ARRAY_LENGTH(refused); i++)
		if (us_addresses_add(&addresses, refused[i]))
			fail_msg("%s was taken", refused[i]);
	assert_true(us_addresses_add(&addresses, "192.0.2.7"));
	assert_true(us_addresses_add(&addresses, "fe80::ff:fe00:1"));
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_what_the_guest_says),
		WITH_BED(test_what_a_neighbour_says_of_it),
		WITH_BED(test_what_is_sent_with_its_mac),
		WITH_BED(test_what_it_says_of_others),
		WITH_BED(test_what_a_filter_drops),
		WITH_BED(test_what_is_of_another_network),
		WITH_BED(test_what_is_the_hosts),
		WITH_BED(test_what_a_peer_names),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("announced-addresses", tests, NULL, NULL);
}
