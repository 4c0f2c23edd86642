/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest sends from one address after the other. The entries that a bridge learns from this wake
 * nobody, and hide no other change. Changes of a pair's address, of static entries and at declared
 * ports are reported.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netlink/changes.h"
#include "support/testbed.h"
#include "util/priority.h"

enum {
	FLOOD = 5000,
	PAIRS = 500,
	TURNS_MAX = 100, /* of the loop */
};

struct bed {
	sd_event *loop;
	struct us_changes *changes;
	int tap, other;
	unsigned int entries, lost;
	uint8_t last[6];
};

static void on_entry(void *userdata, const uint8_t mac[6])
{
	struct bed *bed = userdata;

	bed->entries++;
	memcpy(bed->last, mac, 6);
}

static void on_interface(void *userdata, const char *name)
{
}

static void on_lost(void *userdata)
{
	((struct bed *)userdata)->lost++;
}

static void set_interest(struct bed *bed, size_t macs, const char *port)
{
	int index = port ? if_nametoindex(port) : 0;
	uint8_t(*list)[6] = calloc(macs, sizeof(*list));
	const struct us_changes_interest interest = { .macs = (const uint8_t(*)[6])list,
						      .mac_count = macs,
						      .ports = &index,
						      .port_count = port != NULL };

	for (size_t i = 0; i < macs; i++)
		memcpy(list[i], (uint8_t[]){ 2, 1, 1, 1, i >> 8, i }, 6);
	assert_int_equal(us_changes_set_interest(bed->changes, &interest), 0);
	free(list);
}

static int setup(void **state)
{
	static const struct us_changes_handler handler = { on_entry, on_interface, on_lost };
	static struct bed bed;

	bed = (struct bed){ .entries = 0 };
	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	bed.tap = testbed_tap("tap", "br0");
	bed.other = testbed_tap("other", "br0");
	assert_true(sd_event_new(&bed.loop) >= 0);
	assert_int_equal(us_changes_new(&bed.changes, bed.loop, &handler, &bed), 0);
	set_interest(&bed, PAIRS, NULL);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_changes_free(bed->changes);
	sd_event_unref(bed->loop);
	close(bed->tap);
	close(bed->other);
	testbed_run("ip link del br0");
	return 0;
}

static void send_from(int tap, uint8_t group, unsigned int number)
{
	uint8_t frame[60] = { 0xff,  0xff, 0xff, 0xff,	      0xff,   0xff, 2,
			      group, 1,	   1,	 number >> 8, number, 0x88, 0xb5 };

	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

static struct bed *flooded;

static void move(void)
{
	static bool is_other;

	is_other = !is_other;
	send_from(is_other ? flooded->other : flooded->tap, 1, 1);
}

/* Replaces the library's function. */
ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	if (flooded)
		move();
	return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

/* Runs the loop until the socket is empty. */
static void settle(struct bed *bed)
{
	while (sd_event_run(bed->loop, 0) > 0)
		;
}

static void test_a_flood_of_addresses(void **state)
{
	struct bed *bed = *state;

	settle(bed);
	bed->entries = 0;
	for (unsigned int i = 0; i < FLOOD; i++)
		send_from(bed->tap, 9, i);
	settle(bed);
	assert_int_equal(bed->entries + bed->lost, 0);
}

/* Right after the flood, which has not been read yet. */
static void test_what_is_told_all_the_same(void **state)
{
	struct bed *bed = *state;

	settle(bed);
	for (unsigned int i = 0; i < FLOOD; i++)
		send_from(bed->tap, 9, i);
	bed->entries = 0;
	send_from(bed->other, 1, PAIRS - 1); /* a pair's address is learned elsewhere */
	settle(bed);
	assert_int_equal(bed->entries, 1);
	assert_memory_equal(bed->last,
			    ((uint8_t[]){ 2, 1, 1, 1, (PAIRS - 1) >> 8, (uint8_t)(PAIRS - 1) }), 6);
	testbed_run("bridge fdb add 02:08:08:08:08:08 dev other master static");
	settle(bed);
	assert_int_equal(bed->entries, 2);
	testbed_run("bridge fdb replace 02:01:01:01:00:07 dev other master dynamic");
	settle(bed);
	assert_int_equal(bed->entries, 3);
	testbed_run("bridge fdb del 02:08:08:08:08:08 dev other master");
	settle(bed);
	assert_int_equal(bed->entries, 4);
	assert_int_equal(bed->lost, 0);
}

static int on_client(sd_event_source *source, void *userdata)
{
	*(bool *)userdata = true;
	return 0;
}

/* A pair's address moves to and fro whenever a change is read. */
static void test_clients_are_served(void **state)
{
	struct bed *bed = *state;
	sd_event_source *client = NULL;
	bool is_served = false;

	settle(bed);
	bed->entries = 0;
	flooded = bed;
	move();
	assert_true(sd_event_run(bed->loop, UINT64_MAX) > 0);
	assert_true(sd_event_add_defer(bed->loop, &client, on_client, &is_served) >= 0);
	assert_true(sd_event_source_set_priority(client, US_PRIORITY_CHANGING) >= 0);
	for (int i = 0; i < TURNS_MAX && !is_served; i++)
		assert_true(sd_event_run(bed->loop, UINT64_MAX) > 0);
	flooded = NULL;
	assert_true(bed->entries > 1);
	assert_true(is_served);
	sd_event_source_disable_unref(client);
}

static void test_a_declared_port(void **state)
{
	struct bed *bed = *state;

	set_interest(bed, PAIRS, "other");
	settle(bed);
	bed->entries = 0;
	send_from(bed->tap, 9, 1);
	send_from(bed->other, 9, 2);
	settle(bed);
	assert_int_equal(bed->entries, 1);
}

/* More pairs than a filter has room for: all changes are reported. */
static void test_more_pairs_than_fit(void **state)
{
	struct bed *bed = *state;

	set_interest(bed, US_CHANGES_MACS_MAX, NULL);
	set_interest(bed, US_CHANGES_MACS_MAX + 1, NULL);
	settle(bed);
	bed->entries = 0;
	send_from(bed->tap, 9, 1);
	settle(bed);
	assert_int_equal(bed->entries, 1);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_a_flood_of_addresses), WITH_BED(test_what_is_told_all_the_same),
		WITH_BED(test_clients_are_served),   WITH_BED(test_a_declared_port),
		WITH_BED(test_more_pairs_than_fit),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
