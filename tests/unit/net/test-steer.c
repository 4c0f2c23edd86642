/* SPDX-License-Identifier: BSD-3-Clause */
/* Steering by a real bridge: taps as ports, and real frames to see where they go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/netlink/link.h"
#include "net/steer/steer.h"
#include "support/testbed.h"

struct bed {
	int standby, primary, peer;
};

static const struct us_steer_config config = {
	.mac = { 0x02, 0, 0, 0, 0, 0x01 },
	.standby_port = "standby",
	.primary_port = "primary",
};

static int setup(void **state)
{
	static struct bed bed;

	testbed_run("ip link add br0 type bridge mcast_snooping 0");
	testbed_run("ip link set br0 up");
	bed.standby = testbed_tap("standby", "br0");
	bed.primary = testbed_tap("primary", "br0");
	bed.peer = testbed_tap("peer", "br0");
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	bed->standby = us_close(bed->standby);
	bed->primary = us_close(bed->primary);
	bed->peer = us_close(bed->peer);
	testbed_run("ip link del br0");
	return 0;
}

/* A frame from the guest at one of its ports, which a bridge learns from. */
static void guest_sends(int tap)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x88, 0xb5 };

	memcpy(frame + 6, guest_mac, 6);
	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

/* Sends one frame from the peer to the guest, and proves that it comes out at @port alone. */
static void assert_goes_to(const struct bed *bed, int port)
{
	static uint8_t number;
	int other = port == bed->standby ? bed->primary : bed->standby;
	uint8_t frame[60] = { 0 }, seen[100];

	memcpy(frame, guest_mac, 6);
	memcpy(frame + 6, (uint8_t[]){ 2, 0, 0, 0, 0, 9, 0x88, 0xb5, ++number }, 9);
	assert_int_equal(write(bed->peer, frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(testbed_next(port, seen, sizeof(seen), 1000), sizeof(frame));
	assert_memory_equal(seen, frame, sizeof(frame));
	assert_int_equal(testbed_next(other, seen, sizeof(seen), 0), 0);
}

static void assert_path(struct us_steer *steer, enum us_path expected)
{
	enum us_path path = US_PATH_N;

	assert_int_equal(us_steer_path(steer, &path), 0);
	assert_int_equal(path, expected);
}

/* The words of each line, sorted: their order differs between releases of bridge(8). */
static void read_fdb(char *ret_text, size_t size)
{
	testbed_read(ret_text, size,
		     "bridge fdb show br br0 | grep -i '^02:00:00:00:00:01' | "
		     "xargs -n 1 | sort | xargs");
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

static void assert_fdb(const char *expected)
{
	char text[200];

	read_fdb(text, sizeof(text));
	assert_string_equal(text, expected);
}

static struct us_steer *steer_new(void)
{
	struct us_steer *steer = NULL;
	struct us_reason reason = { .text = "" };

	if (us_steer_new_bridge(&steer, &config, &reason) != 0)
		fail_msg("%s", reason.text);
	return steer;
}

static void steer_to(struct us_steer *steer, enum us_path path)
{
	struct us_reason reason = { .text = "" };

	if (us_steer_to(steer, path, &reason) != 0)
		fail_msg("%s", reason.text);
}

static void test_there_and_back(void **state)
{
	const struct bed *bed = *state;
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();

	assert_path(steer, US_PATH_NONE);
	assert_fdb("");
	steer_to(steer, US_PATH_STANDBY);
	assert_path(steer, US_PATH_STANDBY);
	assert_goes_to(bed, bed->standby);
	steer_to(steer, US_PATH_PRIMARY);
	assert_path(steer, US_PATH_PRIMARY);
	assert_goes_to(bed, bed->primary);
	steer_to(steer, US_PATH_STANDBY);
	assert_goes_to(bed, bed->standby);
	steer_to(steer, US_PATH_NONE);
	assert_path(steer, US_PATH_NONE);
	assert_fdb("");
}

/* QEMU's announcements come through the wrong port; a merely static entry would move. */
static void test_is_not_stolen(void **state)
{
	const struct bed *bed = *state;
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();

	steer_to(steer, US_PATH_PRIMARY);
	guest_sends(bed->standby);
	assert_path(steer, US_PATH_PRIMARY);
	assert_goes_to(bed, bed->primary);
}

/* Without our entry the same frames do move it: the test above can fail. */
static void test_is_stolen_without(void **state)
{
	const struct bed *bed = *state;

	guest_sends(bed->primary);
	assert_goes_to(bed, bed->primary);
	guest_sends(bed->standby);
	assert_goes_to(bed, bed->standby);
}

static void test_found_dynamic(void **state)
{
	const struct bed *bed = *state;
	struct us_steer *steer;

	guest_sends(bed->standby);
	assert_fdb("02:00:00:00:00:01 br0 dev master standby");
	steer = steer_new();
	steer_to(steer, US_PATH_PRIMARY);
	assert_goes_to(bed, bed->primary);
	us_steer_free(steer);
	assert_fdb("");
	guest_sends(bed->standby);
	assert_goes_to(bed, bed->standby);
}

static void test_found_static(void **state)
{
	static const char *const flags[] = { "static", "static sticky" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(flags); i++) {
		struct us_steer *steer;
		char before[200];

		testbed_run("bridge fdb replace 02:00:00:00:00:01 dev standby master %s", flags[i]);
		read_fdb(before, sizeof(before));
		steer = steer_new();
		steer_to(steer, US_PATH_PRIMARY);
		assert_path(steer, US_PATH_PRIMARY);
		us_steer_free(steer);
		assert_non_null(strstr(before, "static"));
		assert_fdb(before);
	}
}

/* An abandoned pair has left the entry at the primary's port: it is not an original entry. */
static void test_found_ours(void **state)
{
	struct us_steer *steer;

	testbed_run("bridge fdb replace 02:00:00:00:00:01 dev primary master static sticky");
	steer = steer_new();
	assert_path(steer, US_PATH_PRIMARY);
	steer_to(steer, US_PATH_NONE);
	assert_fdb("");
	us_steer_free(steer);
	assert_fdb("");
}

/* The entry is at a third port, and came only after the steering was made. */
static void test_found_late_elsewhere(void **state)
{
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();

	testbed_run("bridge fdb replace 02:00:00:00:00:01 dev peer master static");
	steer_to(steer, US_PATH_STANDBY);
	assert_fdb("02:00:00:00:00:01 br0 dev master standby static sticky");
	steer_to(steer, US_PATH_NONE);
	assert_fdb("02:00:00:00:00:01 br0 dev master peer static");
}

static void test_restart(void **state)
{
	struct us_steer *steer;
	char text[100];

	testbed_run("bridge fdb replace 02:00:00:00:00:01 dev peer master static");
	steer = steer_new();
	assert_int_equal(us_steer_save(steer, text, sizeof(text)), 0);
	steer_to(steer, US_PATH_PRIMARY);
	us_steer_abandon(steer);
	assert_fdb("02:00:00:00:00:01 br0 dev master primary static sticky");

	steer = steer_new();
	assert_int_equal(us_steer_restore(steer, text), 0);
	assert_path(steer, US_PATH_PRIMARY);
	us_steer_free(steer);
	assert_fdb("02:00:00:00:00:01 br0 dev master peer static");
}

static void test_save_text(void **state)
{
	static const char *const bad[] = { "x",		 "a/b",
					   "a/1/2",	 "a/5000/40/40",
					   "a/1/40/100", "an-interface-name-too-long/0/40/0",
					   "a/0/40/0 b" };
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();
	char text[64];

	assert_int_equal(us_steer_save(steer, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	for (size_t i = 0; i < US_ARRAY_LENGTH(bad); i++)
		assert_int_equal(us_steer_restore(steer, bad[i]), -EBADMSG);
	assert_int_equal(us_steer_restore(steer, "peer/0/40/0 peer/7/40/40"), 0);
	assert_int_equal(us_steer_save(steer, text, sizeof(text)), 0);
	assert_string_equal(text, "peer/0/40/0 peer/7/40/40");
	assert_int_equal(us_steer_save(steer, text, 12), -ENOBUFS);
	assert_int_equal(us_steer_restore(steer, ""), 0);
}

static void test_port_made_anew(void **state)
{
	struct bed *bed = *state;
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();
	struct us_reason reason;

	steer_to(steer, US_PATH_PRIMARY);
	bed->primary = us_close(bed->primary);
	assert_path(steer, US_PATH_NONE);
	assert_int_equal(us_steer_to(steer, US_PATH_PRIMARY, &reason), US_REFUSED);
	assert_string_equal(reason.text,
			    "interface primary: does not exist: create it, or name another one");
	steer_to(steer, US_PATH_STANDBY);
	assert_goes_to(bed, bed->standby);
	bed->primary = testbed_tap("primary", "br0");
	steer_to(steer, US_PATH_PRIMARY);
	assert_goes_to(bed, bed->primary);
}

static void assert_refused(const char *standby, const char *primary, const char *words)
{
	struct us_steer *steer = NULL;
	struct us_steer_config other = config;
	struct us_reason reason = { .text = "" };

	other.standby_port = standby;
	other.primary_port = primary;
	assert_int_equal(us_steer_new_bridge(&steer, &other, &reason), US_REFUSED);
	assert_null(steer);
	assert_string_equal(reason.text, words);
}

static void test_refused(void **state)
{
	US_CLEANUP(us_steer_freep) struct us_steer *steer = steer_new();
	US_CLEANUP(us_closep) int lone = testbed_tap("lone", NULL), other = -1;
	struct us_reason reason;

	assert_true(lone >= 0);
	testbed_run("ip link add br1 up type bridge");
	other = testbed_tap("other", "br1");
	assert_true(other >= 0);
	assert_refused("standby", "nothing",
		       "interface nothing: does not exist: create it, or name another one");
	assert_refused("lone", NULL, "interface lone: is not a bridge port: add it to a bridge");
	assert_refused("standby", "other",
		       "interfaces standby and other: are ports of different bridges: "
		       "add both to the same bridge");
	assert_refused("", NULL, "interface \"\": is no valid name");

	assert_int_equal(us_steer_set_primary(steer, "other", &reason), US_REFUSED);
	assert_int_equal(us_steer_set_primary(steer, NULL, &reason), 0);
	assert_int_equal(us_steer_to(steer, US_PATH_PRIMARY, &reason), US_REFUSED);
	assert_int_equal(us_steer_to(steer, US_PATH_PARKED, &reason), US_REFUSED);
	assert_fdb("");
	testbed_run("ip link del br1");
}

/* An address of the host itself cannot be steered. */
static void test_refuses_own_address(void **state)
{
	struct us_steer *steer = NULL;
	struct us_steer_config own = config;
	struct us_link port;
	struct us_reason reason;

	assert_int_equal(us_link_get("peer", &port, NULL), 0);
	memcpy(own.mac, port.mac, 6);
	assert_int_equal(us_steer_new_bridge(&steer, &own, &reason), US_REFUSED);
	assert_non_null(strstr(reason.text, "belongs to this host itself"));
}

static void test_link(void **state)
{
	struct us_link link, bridge;
	struct us_reason reason;

	testbed_run("ip link set peer mtu 1400 address 02:00:00:00:00:77");
	testbed_run("ip link property add dev peer altname a-name-longer-than-fifteen");
	assert_int_equal(us_link_get("br0", &bridge, &reason), 0);
	assert_int_equal(us_link_get("a-name-longer-than-fifteen", &link, &reason), 0);
	assert_string_equal(link.name, "peer");
	assert_int_equal(link.index, if_nametoindex("peer"));
	assert_int_equal(link.mtu, 1400);
	assert_true(link.is_up && link.master_is_bridge);
	assert_int_equal(link.master, bridge.index);
	assert_memory_equal(link.mac, ((uint8_t[]){ 2, 0, 0, 0, 0, 0x77 }), 6);
	assert_true(!bridge.master && !bridge.master_is_bridge);
	assert_int_equal(us_link_get("lo", &link, &reason), 0);
	assert_false(link.is_up);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_there_and_back),
		WITH_BED(test_is_not_stolen),
		WITH_BED(test_is_stolen_without),
		WITH_BED(test_found_dynamic),
		WITH_BED(test_found_static),
		WITH_BED(test_found_ours),
		WITH_BED(test_found_late_elsewhere),
		WITH_BED(test_restart),
		WITH_BED(test_save_text),
		WITH_BED(test_port_made_anew),
		WITH_BED(test_refused),
		WITH_BED(test_refuses_own_address),
		WITH_BED(test_link),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("steer", tests, NULL, NULL);
}
