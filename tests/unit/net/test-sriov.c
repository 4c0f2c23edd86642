/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A card that is busy, because it resets a VF, does not block the loop. The test plays the card: it
 * replaces us_sriov_get() and us_sriov_set(). Bridge and taps are real.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "net/vf/sriov-state.h"
#include "net/vf/sriov.h"
#include "net/steer/steer.h"
#include "support/testbed.h"

/* The VF on the played card, and how often the card is still busy. */
static struct us_sriov_state vf;
static unsigned busy, sets, pauses;

int __wrap_us_sriov_get(int port, unsigned index, struct us_sriov_state *ret_state,
			struct us_rtnl_error *ret_words);
int __wrap_us_sriov_set(int port, unsigned short attribute, const void *value, size_t size,
			struct us_rtnl_error *ret_words);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *rest);

int __wrap_us_sriov_get(int port, unsigned index, struct us_sriov_state *ret_state,
			struct us_rtnl_error *ret_words)
{
	*ret_state = vf;
	return 0;
}

int __wrap_us_sriov_set(int port, unsigned short attribute, const void *value, size_t size,
			struct us_rtnl_error *ret_words)
{
	sets++;
	if (busy > 0) {
		busy--;
		strcpy(ret_words->text, "Resource temporarily unavailable");
		return -EAGAIN;
	}
	assert_int_equal(attribute, IFLA_VF_MAC);
	memcpy(vf.mac, ((const struct ifla_vf_mac *)value)->mac, sizeof(vf.mac));
	return 0;
}

int __wrap_nanosleep(const struct timespec *pause, struct timespec *rest)
{
	pauses++;
	return 0;
}

struct bed {
	sd_event *loop;
	int standby, primary;
	struct us_sriov *sriov;
	struct us_steer *steer;
	unsigned calls;
	enum us_path path;
	int r;
	struct us_reason reason;
};

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
	struct bed *bed = userdata;

	bed->calls++;
	bed->path = path;
	bed->r = r;
	bed->reason = *reason;
}

static int setup(void **state)
{
	static struct bed bed;
	struct us_sriov_config sriov = { .port = "primary" };
	struct us_steer_config steer = { .standby_port = "standby",
					 .primary_port = "primary",
					 .steered = on_steered,
					 .userdata = &bed };

	bed = (struct bed){ .calls = 0 };
	vf = (struct us_sriov_state){ .mac = { 2, 0xaa } };
	busy = sets = pauses = 0;
	testbed_run("ip link add br0 type bridge mcast_snooping 0");
	testbed_run("ip link set br0 up");
	bed.standby = testbed_tap("standby", "br0");
	bed.primary = testbed_tap("primary", "br0");
	assert_true(sd_event_new(&bed.loop) >= 0);
	steer.loop = bed.loop;
	memcpy(sriov.mac, guest_mac, 6);
	memcpy(steer.mac, guest_mac, 6);
	assert_int_equal(us_sriov_new(&bed.sriov, &sriov, NULL, NULL), 0);
	assert_int_equal(us_steer_new_bridge(&bed.steer, &steer, NULL), 0);
	*state = &bed;
	return us_steer_set_sriov(bed.steer, bed.sriov, NULL);
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	us_steer_free(bed->steer);
	us_sriov_free(bed->sriov);
	bed->loop = sd_event_unref(bed->loop);
	us_close(bed->standby);
	us_close(bed->primary);
	testbed_run("ip link del br0");
	return 0;
}

static void run(struct bed *bed)
{
	while (!bed->calls)
		assert_true(sd_event_run(bed->loop, UINT64_MAX) >= 0);
}

static void assert_path(struct bed *bed, enum us_path wanted)
{
	enum us_path path;

	assert_int_equal(us_steer_path(bed->steer, &path), 0);
	assert_int_equal(path, wanted);
}

static void test_said_at_once(void **state)
{
	struct bed *bed = *state;

	busy = 1;
	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_sriov_steer(bed->sriov, US_SRIOV_BRIDGE, &bed->reason), US_SRIOV_AGAIN);
	assert_int_equal(pauses, 0);
	assert_int_equal(us_sriov_steer(bed->sriov, US_SRIOV_BRIDGE, &bed->reason), 0);
	assert_memory_equal(vf.mac, guest_mac, 6);
}

/* A present address is not set again: many cards reset a VF whenever its address is set. */
static void test_not_set_again(void **state)
{
	struct bed *bed = *state;
	unsigned before;

	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_sriov_steer(bed->sriov, US_SRIOV_BRIDGE, NULL), 0);
	before = sets;
	assert_int_equal(us_sriov_steer(bed->sriov, US_SRIOV_GUEST, NULL), 0);
	assert_int_equal(sets, before);
	vf.mac[5]++; /* somebody else sets it */
	assert_int_equal(us_sriov_steer(bed->sriov, US_SRIOV_GUEST, NULL), 0);
	assert_int_equal(sets, before + 1);
}

/* The bridge is not changed before the card obeys; the loop goes on meanwhile. */
static void test_path_waits_for_the_card(void **state)
{
	struct bed *bed = *state;

	busy = US_SRIOV_TRIES - 1;
	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_steer_to(bed->steer, US_PATH_STANDBY, &bed->reason), US_PARK_RELEASING);
	assert_path(bed, US_PATH_NONE);
	run(bed);
	assert_int_equal(bed->r, 0);
	assert_int_equal(bed->path, US_PATH_STANDBY);
	assert_path(bed, US_PATH_STANDBY);
	assert_int_equal(pauses, 0);
}

static void test_card_that_never_can(void **state)
{
	struct bed *bed = *state;

	busy = 1000;
	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_steer_to(bed->steer, US_PATH_STANDBY, NULL), US_PARK_RELEASING);
	run(bed);
	assert_int_equal(bed->r, US_REFUSED);
	assert_string_equal(bed->reason.text,
			    "interface primary: VF 0: its MAC address cannot be set: Resource "
			    "temporarily unavailable");
	assert_int_equal(sets, 1 + US_SRIOV_TRIES); /* the first one is of the setup */
	assert_path(bed, US_PATH_NONE);
}

/* Another path replaces this one: there is one result, for the last path. */
static void test_another_path_meanwhile(void **state)
{
	struct bed *bed = *state;

	busy = 3;
	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_steer_to(bed->steer, US_PATH_STANDBY, NULL), US_PARK_RELEASING);
	assert_int_equal(us_steer_to(bed->steer, US_PATH_PRIMARY, NULL), US_PARK_RELEASING);
	run(bed);
	assert_int_equal(bed->path, US_PATH_PRIMARY);
	assert_path(bed, US_PATH_PRIMARY);
	sd_event_run(bed->loop, 3 * US_SRIOV_PAUSE_USEC);
	assert_int_equal(bed->calls, 1);
}

/* A thread may block. */
static void test_thread_waits(void **state)
{
	struct bed *bed = *state;

	busy = 3;
	us_sriov_set_shown(bed->sriov, true);
	assert_int_equal(us_sriov_steer_blocking(bed->sriov, US_SRIOV_BRIDGE, NULL), 0);
	assert_int_equal(pauses, 3);
	busy = 3;
	assert_int_equal(us_sriov_put_back(bed->sriov, NULL), 0);
	assert_int_equal(pauses, 6);
	assert_memory_equal(vf.mac, ((uint8_t[6]){ 2, 0xaa }), 6);
	busy = 1000;
	assert_int_equal(us_sriov_steer_blocking(bed->sriov, US_SRIOV_BRIDGE, NULL), US_REFUSED);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(test_said_at_once),
		WITH_BED(test_not_set_again),
		WITH_BED(test_path_waits_for_the_card),
		WITH_BED(test_card_that_never_can),
		WITH_BED(test_another_path_meanwhile),
		WITH_BED(test_thread_waits),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("sriov", tests, NULL, NULL);
}
