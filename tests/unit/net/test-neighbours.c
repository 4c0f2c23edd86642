/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses a PF listens for. One end of a veth has the unicast filter of a card. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/vf/neighbours.h"
#include "support/testbed.h"

#define ENTRY(n) "02:00:00:00:00:" n

static char record[] = "/tmp/us-neighbours-XXXXXX";

static uint8_t others; /* last byte of a pair's address */

static int setup(void **state)
{
	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	testbed_run("ip link add pf up master br0 address " ENTRY("f0") " type veth peer wire");
	testbed_run("ip link add port up master br0 address " ENTRY("b0") " type veth peer guest");
	unlink(record);
	others = 0x11;
	return us_neighbours_new((struct us_neighbours **)state, "pf", record);
}

static int teardown(void **state)
{
	us_neighbours_free(*state);
	testbed_run("ip link del br0 && ip link del pf && ip link del port");
	return 0;
}

static bool is_listened_for(const char *mac)
{
	char text[20000];

	testbed_read(text, sizeof(text), "bridge fdb show dev pf | grep self");
	return strstr(text, mac);
}

static bool is_others(void *userdata, const uint8_t mac[6])
{
	return mac[5] == others;
}

static int follow(void **state, struct us_reason *reason)
{
	const struct us_neighbours_rules rules = { .is_others = is_others };

	return us_neighbours_update(*state, &rules, reason);
}

/* Stations at other ports and the host itself, not those on the PF's side. */
static void test_who_is_a_neighbour(void **state)
{
	struct us_reason reason = { .text = "" };

	testbed_run("bridge fdb add " ENTRY(
		"10") " dev port master static && "
		      "bridge fdb add " ENTRY("11") " dev port master static && "
						    "bridge fdb add " ENTRY(
							    "12") " dev pf master static");
	if (follow(state, &reason) != 0)
		fail_msg("%s", reason.text);
	assert_true(is_listened_for(ENTRY("b0")) && is_listened_for(ENTRY("10")));
	assert_false(is_listened_for(ENTRY("f0")) || is_listened_for(ENTRY("11")) ||
		     is_listened_for(ENTRY("12")));
}

static void test_they_go(void **state)
{
	testbed_run("bridge fdb add " ENTRY("10") " dev port master static");
	assert_int_equal(follow(state, NULL), 0);
	testbed_run("bridge fdb del " ENTRY("10") " dev port master");
	assert_int_equal(follow(state, NULL), 0);
	assert_false(is_listened_for(ENTRY("10")));
}

/* An address that becomes a pair's is left to the pair. */
static void test_becomes_others(void **state)
{
	testbed_run("bridge fdb add " ENTRY("10") " dev port master static");
	assert_int_equal(follow(state, NULL), 0);
	others = 0x10;
	assert_int_equal(follow(state, NULL), 0);
	assert_true(is_listened_for(ENTRY("10")));
	testbed_run("bridge fdb del " ENTRY("10") " dev pf self");
}

/* A process that was killed leaves a record for the next one. */
static void test_record(void **state)
{
	testbed_run("bridge fdb add " ENTRY("10") " dev port master static");
	assert_int_equal(follow(state, NULL), 0);
	us_neighbours_abandon(*state);
	testbed_run("bridge fdb del " ENTRY("10") " dev port master");
	assert_int_equal(us_neighbours_new((struct us_neighbours **)state, "pf", record), 0);
	us_neighbours_free(*state);
	assert_false(is_listened_for(ENTRY("10")) || is_listened_for(ENTRY("b0")));
	assert_int_equal(access(record, F_OK), -1);
	assert_int_equal(us_neighbours_new((struct us_neighbours **)state, "pf", record), 0);
}

static void test_too_many(void **state)
{
	struct us_reason reason = { .text = "" };

	testbed_run("for i in $(seq 10 79); do bridge fdb add 02:00:00:00:01:$i dev port master "
		    "static; done");
	assert_int_equal(follow(state, &reason), US_REFUSED);
	assert_non_null(strstr(reason.text, "more than 64"));
}

static void test_refused(void **state)
{
	struct us_reason reason = { .text = "" };

	testbed_run("ip link set pf nomaster");
	assert_int_equal(follow(state, &reason), US_REFUSED);
	assert_string_equal(reason.text, "interface pf: is not a bridge port: add it to a bridge");
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_who_is_a_neighbour), WITH_BED(test_they_go),
		WITH_BED(test_becomes_others),	   WITH_BED(test_record),
		WITH_BED(test_too_many),	   WITH_BED(test_refused),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	close(mkstemp(record));
	return cmocka_run_group_tests_name("neighbours", tests, NULL, NULL);
}
