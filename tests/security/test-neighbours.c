/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest behind a tap can send with any source address, and a bridge learns it. The PF does not
 * listen for these addresses, so the guest cannot take frames from the wire.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/vf/neighbours.h"
#include "support/testbed.h"

#define MAC(n) "02:00:00:00:00:" n

enum {
	MANY = 80 * 1000,
	ANSWER_BYTES_MAX = 4 * 1024 * 1024, /* in one update */
};

static size_t answered_bytes; /* by the kernel */

/* Replaces the library's function. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t length = syscall(SYS_recvmsg, fd, message, flags);

	if (length > 0)
		answered_bytes += length;
	return length;
}

static char record[] = "/tmp/us-neighbours-XXXXXX";

struct bed {
	int tap, other;
	struct us_neighbours *neighbours;
	char ports[2][IF_NAMESIZE];
	size_t port_count; /* declared ports */
};

static int setup(void **state)
{
	static struct bed bed;

	bed = (struct bed){ .ports = { "tap", "other" } };
	testbed_run("ip link add br0 address " MAC("b0") " up type bridge mcast_snooping 0");
	testbed_run("ip link add pf up master br0 address " MAC("f0") " type veth peer wire && "
								      "ip link set wire up");
	bed.tap = testbed_tap("tap", "br0");
	bed.other = testbed_tap("other", "br0");
	unlink(record);
	assert_int_equal(us_neighbours_new(&bed.neighbours, "pf", record), 0);
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_neighbours_free(bed->neighbours);
	close(bed->tap);
	close(bed->other);
	testbed_run("ip link del br0 && ip link del pf");
	return 0;
}

static bool is_nobodys(void *userdata, const uint8_t mac[6])
{
	return false;
}

static int follow(struct bed *bed, struct us_reason *reason)
{
	const struct us_neighbours_rules rules = {
		.is_others = is_nobodys,
		.ports = (const char(*)[IF_NAMESIZE])bed->ports,
		.port_count = bed->port_count,
	};

	return us_neighbours_update(bed->neighbours, &rules, reason);
}

static size_t count_listened(const char *mac)
{
	char text[32];

	testbed_read(text, sizeof(text), "bridge fdb show dev pf | grep self | grep -c %s", mac);
	return strtoul(text, NULL, 10);
}

/* A guest sends from an address that nobody checks. */
static void send_from(int tap, uint8_t group, uint8_t last)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, group, last, 8, 6 };

	assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
}

static void test_learned_at_a_tap(void **state)
{
	struct bed *bed = *state;

	for (int i = 0; i < 100; i++)
		send_from(bed->tap, 1, i);
	assert_int_equal(follow(bed, NULL), 0);
	assert_int_equal(count_listened("02:00:00:00:01"), 0);
}

/* A declared port may have a few, and replaces no other neighbour. */
static void test_a_flood_at_a_declared_port(void **state)
{
	struct bed *bed = *state;
	struct us_reason reason = { .text = "" };

	bed->port_count = 2;
	testbed_run("bridge fdb add " MAC("10") " dev other master static sticky");
	send_from(bed->other, 2, 1);
	assert_int_equal(follow(bed, &reason), 0);
	for (int i = 0; i < 100; i++)
		send_from(bed->tap, 1, i);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(follow(bed, &reason), US_REFUSED);
		assert_string_equal(reason.text,
				    "interface pf: more than 16 learned neighbours at tap: "
				    "VFs do not reach all of them");
		assert_int_equal(count_listened("02:00:00:00:01"), US_NEIGHBOURS_PER_PORT_MAX);
		assert_int_equal(count_listened("02:00:00:00:02:01"), 1);
		assert_int_equal(count_listened(MAC("10")), 1);
	}
}

static void send_from_many(int tap)
{
	for (unsigned int i = 0; i < MANY; i++) {
		uint8_t frame[60] = { 2, 9, 9, 9, 9, 9, 2, 0, 1, i >> 16, i >> 8, i, 0x88, 0xb5 };

		assert_int_equal(write(tap, frame, sizeof(frame)), sizeof(frame));
	}
}

/* Reading all these entries would block the loop for seconds, each time. */
static void test_a_flood_that_fills_the_bridge(void **state)
{
	struct bed *bed = *state;
	struct us_reason reason = { .text = "" };

	testbed_run("bridge fdb add " MAC("10") " dev other master static sticky");
	assert_int_equal(follow(bed, &reason), 0);
	send_from_many(bed->tap);
	testbed_run("bridge fdb add " MAC("11") " dev other master static sticky");
	answered_bytes = 0;
	assert_int_equal(follow(bed, &reason), US_REFUSED);
	assert_true(answered_bytes < ANSWER_BYTES_MAX);
	assert_non_null(strstr(reason.text, "too many FDB entries"));
	assert_int_equal(count_listened(MAC("10")), 1);
	testbed_run("ip link set tap type bridge_slave fdb_flush");
	assert_int_equal(follow(bed, &reason), 0);
	assert_int_equal(count_listened(MAC("11")), 1);
}

/* The first neighbours stay, whatever the bridge lists first. */
static void test_the_table_is_full(void **state)
{
	struct bed *bed = *state;
	struct us_reason reason = { .text = "" };

	testbed_run("for i in $(seq 10 40); do bridge fdb add 02:00:00:00:04:$i dev other master "
		    "static sticky; done");
	assert_int_equal(follow(bed, &reason), 0);
	testbed_run("for i in $(seq 10 99); do bridge fdb add 02:00:00:00:03:$i dev tap master "
		    "static sticky; done");
	assert_int_equal(follow(bed, &reason), US_REFUSED);
	assert_int_equal(count_listened("02:00:00:00:04"), 31);
	assert_int_equal(count_listened("02:00:00:00:03"), US_NEIGHBOURS_MAX - 31 - 1);
}

/* The gateway is on the wire; a guest behind a declared port sends from its address. */
static void test_who_was_seen_beyond_the_pf(void **state)
{
	struct bed *bed = *state;
	char text[80];

	bed->port_count = 2;
	testbed_run("bridge fdb add 02:00:00:00:05:01 dev pf master dynamic");
	assert_int_equal(follow(bed, NULL), 0);
	send_from(bed->tap, 5, 1);
	testbed_read(text, sizeof(text), "bridge fdb show dev tap | grep 02:00:00:00:05:01");
	assert_non_null(strstr(text, "02:00:00:00:05:01")); /* the bridge has learned it */
	assert_int_equal(follow(bed, NULL), 0);
	assert_int_equal(count_listened("02:00:00:00:05:01"), 0);
}

/* The operator's static entry at the PF moves, too, and remains static. */
static void test_a_static_entry_that_moved(void **state)
{
	struct bed *bed = *state;
	char text[80];

	testbed_run("bridge fdb add 02:00:00:00:05:01 dev pf master static");
	assert_int_equal(follow(bed, NULL), 0);
	send_from(bed->tap, 5, 1);
	testbed_read(text, sizeof(text), "bridge fdb show dev tap | grep 02:00:00:00:05:01");
	assert_non_null(strstr(text, "static"));
	assert_int_equal(follow(bed, NULL), 0);
	assert_int_equal(count_listened("02:00:00:00:05:01"), 0);
	/* A sticky entry cannot move, so it counts. */
	testbed_run("bridge fdb replace 02:00:00:00:05:01 dev other master static sticky");
	assert_int_equal(follow(bed, NULL), 0);
	assert_int_equal(count_listened("02:00:00:00:05:01"), 1);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_learned_at_a_tap),
		WITH_BED(test_a_flood_at_a_declared_port),
		WITH_BED(test_a_flood_that_fills_the_bridge),
		WITH_BED(test_the_table_is_full),
		WITH_BED(test_who_was_seen_beyond_the_pf),
		WITH_BED(test_a_static_entry_that_moved),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	close(mkstemp(record));
	return cmocka_run_group_tests_name("neighbours", tests, NULL, NULL);
}
