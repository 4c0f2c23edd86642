/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The watch of a guest's traffic: a scripted guest behind a tap, where timing matters, and a real
 * one, the Linux stack in a second namespace, for its answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/frame/frame.h"
#include "net/netlink/link.h"
#include "net/presence/watch.h"
#include "support/testbed.h"
#include "util/clock.h"

enum {
	PROBE_MSEC = 20,
	STABLE_MSEC = 300,
};

/* The results, and a guest that answers ARP probes at the primary's tap when it is awake. */
struct bed {
	sd_event *loop;
	int standby, primary;
	bool is_awake, is_answering;
	bool has_no_link;	/* on the primary: its frames leave by the standby */
	unsigned int changes;	/* of is_answering */
	unsigned int answers;	/* frames the guest has sent from the primary */
	unsigned int nap_after; /* it falls asleep after so many, once */
	uint64_t nap_end_usec;
	unsigned int calls;
	bool ready;
	uint64_t first_usec; /* of its answers, since it woke up */
	uint64_t ready_usec;
};

static const struct us_watch_config config = {
	.mac = { 0x02, 0, 0, 0, 0, 0x01 },
	.standby_port = "standby",
	.primary_port = "primary",
	.vm_port = "standby",
	.probe_usec = PROBE_MSEC * 1000,
	.stable_usec = STABLE_MSEC * 1000,
	.quiet_usec = 4 * STABLE_MSEC * 1000,
};

static const uint8_t guest_ipv4[4] = { 192, 0, 2, 7 };

static void on_traffic(void *userdata, bool ready, const struct us_reason *reason)
{
	struct bed *bed = userdata;

	bed->calls++;
	bed->ready = ready;
	bed->ready_usec = us_now_usec();
	assert_true(ready || reason->text[0]);
}

static void on_answering(void *userdata, bool is_answering)
{
	struct bed *bed = userdata;

	assert_true(bed->is_answering != is_answering);
	bed->is_answering = is_answering;
	bed->changes++;
}

static const struct us_watch_handler handler = { .answering = on_answering, .traffic = on_traffic };

/* An ARP frame from the guest: an announcement, or the answer to a probe. */
static void guest_arp(int tap, const uint8_t *target_mac, uint8_t operation)
{
	uint8_t frame[42] = { 0 };

	memcpy(frame, target_mac, 6);
	memcpy(frame + 6, guest_mac, 6);
	memcpy(frame + 12, (uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, operation }, 10);
	memcpy(frame + 22, guest_mac, 6);
	memcpy(frame + 28, guest_ipv4, 4);
	memcpy(frame + 32, target_mac, 6);
	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

static void guest_announces(int tap)
{
	guest_arp(tap, (const uint8_t *)"\xff\xff\xff\xff\xff\xff", 1);
}

static int on_guest(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct bed *bed = userdata;
	uint8_t frame[2000];
	ssize_t length;

	while ((length = read(fd, frame, sizeof(frame))) > 0) {
		if (length < 42 || memcmp(frame, guest_mac, 6) != 0 || frame[12] != 8 ||
		    frame[13] != 6 || memcmp(frame + 38, guest_ipv4, 4) != 0)
			continue;
		if (bed->nap_after && bed->answers == bed->nap_after) {
			bed->nap_end_usec = us_now_usec() + 200 * US_USEC_PER_MSEC;
			bed->nap_after = 0;
			bed->first_usec = 0;
		}
		if (!bed->is_awake || us_now_usec() < bed->nap_end_usec)
			continue;
		if (!bed->first_usec)
			bed->first_usec = us_now_usec();
		bed->answers++;
		guest_arp(bed->has_no_link ? bed->standby : fd, frame + 22, 2);
	}
	return 0;
}

static int setup(void **state)
{
	static struct bed bed;

	bed = (struct bed){ .is_awake = true };
	testbed_run("ip link add br0 type bridge mcast_snooping 0");
	testbed_run("ip link set br0 up");
	bed.standby = testbed_tap("standby", "br0");
	bed.primary = testbed_tap("primary", "br0");
	assert_true(sd_event_new(&bed.loop) >= 0);
	assert_true(sd_event_add_io(bed.loop, NULL, bed.primary, 1 /* EPOLLIN */, on_guest, &bed) >=
		    0);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	bed->loop = sd_event_unref(bed->loop);
	bed->standby = us_close(bed->standby);
	bed->primary = us_close(bed->primary);
	testbed_run("ip link del br0");
	return 0;
}

static struct us_watch *watch_new(struct bed *bed)
{
	struct us_watch *watch = NULL;
	struct us_reason reason = { .text = "" };

	if (us_watch_new(&watch, bed->loop, &config, &handler, bed, &reason) != 0)
		fail_msg("%s", reason.text);
	return watch;
}

/* Runs the loop until the watch is over, or for so long. */
static void run(struct bed *bed, unsigned int limit_msec)
{
	uint64_t end_usec = us_now_usec() + limit_msec * US_USEC_PER_MSEC;

	while (!bed->calls && us_now_usec() < end_usec)
		sd_event_run(bed->loop, 10 * US_USEC_PER_MSEC);
}

/* The watch learns the address at the standby; probes leave by the primary's port only. */
static void test_ready(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);
	uint8_t frame[200];

	guest_announces(bed->standby);
	run(bed, 10000);
	assert_int_equal(bed->calls, 1);
	assert_true(bed->ready);
	assert_true(bed->ready_usec - bed->first_usec >= (STABLE_MSEC - PROBE_MSEC) * 1000);
	assert_int_equal(testbed_next(bed->standby, frame, sizeof(frame), 0), 0);
}

/* The guest receives on the primary before it may send there. */
static void test_answers_from_the_standby(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);

	bed->has_no_link = true;
	guest_announces(bed->standby);
	run(bed, 10000);
	assert_true(bed->ready && bed->is_answering);
}

/* A card that brings back the host's frames in the guest's name. */
static void test_card_groups_do_not_count(void **state)
{
	struct bed *bed = *state;
	struct us_watch_config card = config;
	US_CLEANUP(us_watch_freep) struct us_watch *watch = NULL;
	uint64_t end_usec = us_now_usec() + 2 * STABLE_MSEC * US_USEC_PER_MSEC;

	card.answers_only = true;
	assert_int_equal(us_watch_new(&watch, bed->loop, &card, &handler, bed, NULL), 0);
	bed->is_awake = false;
	while (us_now_usec() < end_usec) {
		guest_announces(bed->primary);
		sd_event_run(bed->loop, 10 * US_USEC_PER_MSEC);
	}
	assert_int_equal(bed->calls + bed->changes, 0);
	bed->is_awake = true;
	run(bed, 10000);
	assert_true(bed->ready);
}

/* The watch learns the address from frames to the guest, too. */
static void test_learns_from_frames_to_it(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep) struct us_watch *watch = NULL;
	/* With a valid checksum: a bridge with netfilter drops other frames. */
	uint8_t packet[60] = { [12] = 8, 0,    0x45, 0,	  0, 46, 0, 0,	 0, 0, 64,
			       17,	 0xf6, 0xae, 192, 0, 2,	 9, 192, 0, 2, 7 };
	US_CLEANUP(us_closep) int peer = testbed_tap("peer", "br0");

	memcpy(packet, guest_mac, 6);
	memcpy(packet + 6, (uint8_t[]){ 2, 0, 0, 0, 0, 9 }, 6);
	watch = watch_new(bed);
	assert_int_equal(write(peer, packet, sizeof(packet)), sizeof(packet));
	run(bed, 10000);
	assert_true(bed->ready);
}

/* The link goes down and comes back: the time before the silence does not count. */
static void test_bounce(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);

	bed->nap_after = 5;
	guest_announces(bed->standby);
	run(bed, 10000);
	assert_true(bed->ready);
	assert_true(bed->answers > 5);
	assert_int_equal(bed->changes, 3); /* answers, silence, answers */
	assert_true(bed->ready_usec >= bed->nap_end_usec);
	assert_true(bed->ready_usec - bed->first_usec >= (STABLE_MSEC - PROBE_MSEC) * 1000);
}

static void test_never_answers(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);

	bed->is_awake = false;
	guest_announces(bed->standby);
	run(bed, 3 * STABLE_MSEC);
	assert_int_equal(bed->calls, 0);
}

/* Frames to the guest through the primary's port, and frames from it at the standby. */
static void test_other_frames_do_not_count(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);
	uint64_t end_usec = us_now_usec() + 3 * STABLE_MSEC * US_USEC_PER_MSEC;
	US_CLEANUP(us_closep) int peer = testbed_tap("peer", "br0");
	uint8_t frame[60] = { [12] = 0x88, 0xb5 };

	bed->is_awake = false;
	memcpy(frame, guest_mac, 6);
	memcpy(frame + 6, (uint8_t[]){ 2, 0, 0, 0, 0, 9 }, 6);
	testbed_run("bridge fdb replace 02:00:00:00:00:01 dev primary master static sticky");
	while (us_now_usec() < end_usec) {
		guest_announces(
			bed->standby); /* a broadcast, which leaves by the primary's port, too */
		assert_int_equal(write(peer, frame, sizeof(frame)), sizeof(frame));
		sd_event_run(bed->loop, 10 * US_USEC_PER_MSEC);
	}
	assert_int_equal(bed->calls, 0);
}

/* A frame from the guest without an address, as a driver sends when the link comes up. */
static void guest_says_something(int tap)
{
	uint8_t frame[60] = { 0x33, 0x33, 0, 0, 0, 0x16, [12] = 0x88, 0xb5 };

	memcpy(frame + 6, guest_mac, 6);
	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

/* A silent guest without known addresses: one frame from the primary is enough. */
static void test_silent_guest(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);
	uint64_t said_usec = us_now_usec();

	guest_says_something(bed->primary);
	run(bed, 10000);
	assert_int_equal(bed->calls, 1);
	assert_true(bed->ready);
	assert_true(bed->ready_usec - said_usec >= config.quiet_usec);
}

/* A frame from the standby after one from the primary: the guest does not use the primary. */
static void test_silent_on_the_primary(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);

	guest_says_something(bed->primary);
	run(bed, STABLE_MSEC);
	guest_says_something(bed->standby);
	run(bed, 8 * STABLE_MSEC);
	assert_int_equal(bed->calls, 0);
}

static void test_interface_removed(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);

	run(bed, 50);
	testbed_run("ip link set primary down");
	run(bed, 100);
	assert_int_equal(bed->calls, 0);
	testbed_run("ip link del primary");
	run(bed, 10000);
	assert_int_equal(bed->calls, 1);
	assert_false(bed->ready);
}

static void test_refused(void **state)
{
	struct bed *bed = *state;
	struct us_watch *watch = NULL;
	struct us_watch_config other = config;
	struct us_reason reason;

	other.primary_port = "nothing";
	assert_int_equal(us_watch_new(&watch, bed->loop, &other, &handler, bed, &reason),
			 US_REFUSED);
	assert_null(watch);
	assert_string_equal(reason.text,
			    "interface nothing: does not exist: create it, or name another one");
}

/* Linux itself is the guest, with the pair's MAC address, in a namespace of the test. */
static void real_guest_new(const char *commands)
{
	testbed_run("ip link set primary name unused && ip link set unused down");
	testbed_run("ip netns del us-net-guest 2>/dev/null; ip netns add us-net-guest");
	testbed_run("ip link add primary master br0 up type veth peer name eth0 "
		    "netns us-net-guest address 02:00:00:00:00:01");
	testbed_run("ip netns exec us-net-guest sh -ec '%s'", commands);
}

static void real_guest_watch(struct bed *bed)
{
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = watch_new(bed);
	char neighbours[400];

	guest_announces(bed->standby);
	run(bed, 10000);
	testbed_read(neighbours, sizeof(neighbours), "ip -n us-net-guest -4 neigh show");
	testbed_run("ip link del primary && ip netns del us-net-guest");
	assert_int_equal(bed->calls, 1);
	assert_true(bed->ready);
	assert_string_equal(neighbours, "");
}

static void test_linux_answers_arp(void **state)
{
	real_guest_new("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1; "
		       "ip addr add 192.0.2.7/24 dev eth0; ip link set eth0 up");
	real_guest_watch(*state);
}

static void test_linux_answers_solicitation(void **state)
{
	real_guest_new("sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip link set eth0 up");
	real_guest_watch(*state);
}

/* An address that is not derived from the MAC address: the echo request finds it. */
static void test_linux_answers_echo(void **state)
{
	real_guest_new("sysctl -qw net.ipv6.conf.eth0.accept_dad=0; "
		       "ip link set eth0 addrgenmode none; ip link set eth0 up; "
		       "ip addr add fe80::1234/64 dev eth0 nodad");
	real_guest_watch(*state);
}

/* ---- Others behind a PF, in the guest's name ---- */

static struct us_watch *card_watch_new(struct bed *bed, const struct us_watch_handler *by)
{
	struct us_watch_config card = config;
	struct us_watch *watch = NULL;

	card.answers_only = true;
	assert_int_equal(us_watch_new(&watch, bed->loop, &card, by, bed, NULL), 0);
	return watch;
}

/* An advertisement of the guest's, or an echo reply, to a link-local address. */
static void forge_icmpv6(int tap, const uint8_t to_mac[6], const uint8_t to[16], uint8_t type)
{
	uint8_t frame[86] = { [12] = 0x86, 0xdd, 0x60, [19] = 32, 58, 255 };

	memcpy(frame, to_mac, 6);
	memcpy(frame + 6, guest_mac, 6);
	us_frame_link_local(guest_mac, frame + 22);
	memcpy(frame + 38, to, 16);
	frame[54] = type;
	memcpy(frame + 62, frame + 22, 16);
	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

/* All that can be sent without having seen a probe, to the port and to another watch's nonce. */
static void forge(int tap, const uint8_t to_mac[6])
{
	struct us_link port;
	uint8_t to[16];

	assert_int_equal(us_link_get("primary", &port, NULL), 0);
	guest_arp(tap, port.mac, 2);
	guest_arp(tap, port.mac, 1);
	guest_arp(tap, to_mac, 2);
	us_frame_link_local(port.mac, to);
	forge_icmpv6(tap, port.mac, to, 136);
	forge_icmpv6(tap, port.mac, to, 129);
	us_frame_link_local(to_mac, to);
	forge_icmpv6(tap, port.mac, to, 136);
}

static void forge_for(struct bed *bed, const uint8_t to_mac[6], unsigned int msec)
{
	uint64_t end_usec = us_now_usec() + msec * US_USEC_PER_MSEC;

	while (us_now_usec() < end_usec) {
		forge(bed->primary, to_mac);
		sd_event_run(bed->loop, 10 * US_USEC_PER_MSEC);
	}
	assert_int_equal(bed->calls + bed->changes, 0);
}

/* The MAC address that the next probe asks for answers at. */
static void take_nonce(struct bed *bed, uint8_t ret_mac[6])
{
	uint8_t frame[200];

	do {
		sd_event_run(bed->loop, 10 * US_USEC_PER_MSEC);
	} while (testbed_next(bed->primary, frame, sizeof(frame), 0) != 42);
	memcpy(ret_mac, frame + 22, 6);
}

static void test_source_address_is_no_answer(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = card_watch_new(bed, &handler);
	uint8_t nobody[6] = { 2 };

	bed->is_awake = false;
	guest_announces(bed->standby);
	forge_for(bed, nobody, 3 * STABLE_MSEC);
	bed->is_awake = true;
	run(bed, 10000);
	assert_true(bed->ready);
}

/* The nonce of one watch is useless in the next. */
static void test_nonce_is_of_one_watch(void **state)
{
	struct bed *bed = *state;
	struct us_watch *watch = card_watch_new(bed, &handler);
	uint8_t first[6], second[6];

	bed->is_awake = false;
	guest_announces(bed->standby);
	take_nonce(bed, first);
	assert_int_equal(first[0] & 3, 2);
	us_watch_free(watch);
	watch = card_watch_new(bed, &handler);
	guest_announces(bed->standby);
	take_nonce(bed, second);
	assert_memory_not_equal(first, second, 6);
	forge_for(bed, first, 3 * STABLE_MSEC);
	us_watch_free(watch);
}

/* The guest's answers end at this host: nobody else behind the bridge sees the nonce. */
static void test_answers_go_to_nobody_else(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_closep) int other = testbed_tap("other", "br0");
	struct us_watch *watch = card_watch_new(bed, &handler);
	char entries[2000], left[2000];
	uint8_t frame[200];
	ssize_t length;

	guest_announces(bed->standby);
	run(bed, 10000);
	assert_true(bed->ready &&
		    bed->answers >= 2); /* the first one and the last one of the stable time */
	while ((length = read(other, frame, sizeof(frame))) > 0)
		assert_false(memcmp(frame + 6, guest_mac, 6) == 0 && !(frame[0] & 1));
	us_watch_free(watch);
	/* The watch removes the entry that it has added. */
	testbed_read(left, sizeof(left), "bridge fdb show br br0 | grep 'master br0 permanent'");
	watch = card_watch_new(bed, &handler);
	testbed_read(entries, sizeof(entries),
		     "bridge fdb show br br0 | grep 'master br0 permanent'");
	assert_string_not_equal(entries, left);
	us_watch_free(watch);
	testbed_read(entries, sizeof(entries),
		     "bridge fdb show br br0 | grep 'master br0 permanent'");
	assert_string_equal(entries, left);
}

static bool driver_has_not_started(void *userdata)
{
	return false;
}

static void test_silent_guest_has_to_have_started(void **state)
{
	static const struct us_watch_handler unstarted = { .answering = on_answering,
							   .is_started = driver_has_not_started,
							   .traffic = on_traffic };
	struct bed *bed = *state;
	US_CLEANUP(us_watch_freep)
	__attribute__((unused)) struct us_watch *watch = card_watch_new(bed, &unstarted);

	guest_says_something(bed->primary);
	run(bed, 8 * STABLE_MSEC);
	assert_int_equal(bed->calls, 0);
}

/* Linux's own stack answers with the nonce, by each of its protocols. */
static void card_real_guest(struct bed *bed, const char *commands)
{
	struct us_watch *watch;

	real_guest_new(commands);
	watch = card_watch_new(bed, &handler);
	guest_announces(bed->standby);
	run(bed, 10000);
	us_watch_free(watch);
	testbed_run("ip link del primary && ip netns del us-net-guest");
	assert_int_equal(bed->calls, 1);
	assert_true(bed->ready);
}

static void test_linux_echoes_nonce_by_arp(void **state)
{
	card_real_guest(*state, "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1; "
				"ip addr add 192.0.2.7/24 dev eth0; ip link set eth0 up");
}

static void test_linux_echoes_nonce_by_advertisement(void **state)
{
	card_real_guest(*state, "sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip link set eth0 up");
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int run_forgery_tests(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_source_address_is_no_answer),
		WITH_BED(test_nonce_is_of_one_watch),
		WITH_BED(test_answers_go_to_nobody_else),
		WITH_BED(test_silent_guest_has_to_have_started),
		WITH_BED(test_linux_echoes_nonce_by_arp),
		WITH_BED(test_linux_echoes_nonce_by_advertisement),
	};

	return cmocka_run_group_tests_name("forgery", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_ready),
		WITH_BED(test_answers_from_the_standby),
		WITH_BED(test_card_groups_do_not_count),
		WITH_BED(test_learns_from_frames_to_it),
		WITH_BED(test_bounce),
		WITH_BED(test_never_answers),
		WITH_BED(test_other_frames_do_not_count),
		WITH_BED(test_silent_guest),
		WITH_BED(test_silent_on_the_primary),
		WITH_BED(test_interface_removed),
		WITH_BED(test_refused),
		WITH_BED(test_linux_answers_arp),
		WITH_BED(test_linux_answers_solicitation),
		WITH_BED(test_linux_answers_echo),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	if (argc > 1 && strcmp(argv[1], "forgery") == 0)
		return run_forgery_tests();
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
