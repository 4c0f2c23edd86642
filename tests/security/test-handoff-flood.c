/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for a guest that has left are forwarded to it as long as they arrive. A sender that is as
 * fast as the daemon forwards must block neither clients nor the frames of other pairs. The flood
 * is real: the test puts another frame into the park tap before each read.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/client.h"
#include "daemon/migration/handoff.h"
#include "daemon/migration/migration-private.h"
#include "daemon/pair/pair-private.h"
#include "daemon/vm/vm-private.h"
#include "net/steer/steer.h"
#include "support/client-turn.h"
#include "support/testbed.h"

enum {
	FRAME_BYTES = 60,
};

static sd_event *loop;
static int other; /* somebody's tap in the bridge */
static bool is_flooding;
static unsigned int reads;

static void come(void)
{
	uint8_t bytes[FRAME_BYTES] = { 0 };

	memcpy(bytes, guest_mac, 6);
	memcpy(bytes + 6, (uint8_t[]){ 2, 9, 9, 9, 9, 9, 0x88, 0xb5 }, 8);
	assert_int_equal(write(other, bytes, sizeof(bytes)), sizeof(bytes));
}

/* In place of the library's. */
ssize_t read(int fd, void *buffer, size_t size)
{
	if (is_flooding) {
		reads++;
		come();
	}
	return syscall(SYS_read, fd, buffer, size);
}

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
}

static void on_done(void *userdata, const struct us_reason *reason)
{
}

/* One that takes all, and never answers. */
static struct us_client *connect_to_nobody(int *ret_listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/netns/nobody" };
	struct us_client *client = NULL;

	*ret_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(*ret_listener, 1), 0);
	assert_int_equal(us_client_new(&client, loop, "unix:/run/netns/nobody"), 0);
	return client;
}

static void park(struct us_host_pair *pair)
{
	struct us_steer_config config = { .standby_port = "standby",
					  .loop = loop,
					  .steered = on_steered };
	struct us_reason reason = { .text = "" };

	memcpy(config.mac, guest_mac, sizeof(config.mac));
	memcpy(pair->spec.mac, guest_mac, sizeof(pair->spec.mac));
	if (us_steer_new_bridge(&pair->steer, &config, &reason) != 0 ||
	    us_steer_to(pair->steer, US_PATH_PARKED, &reason) != 0)
		fail_msg("%s", reason.text);
	pair->engine.path.now = US_PATH_PARKED;
}

static void test_clients_are_served(void **state)
{
	struct us_vms vms = { .loop = loop };
	struct us_host_vm vm = { .vms = &vms, .base.name = "web" };
	struct us_pair_migration migration = { 0 };
	struct us_host_pair pair = { .vm = &vm.base,
				     .spec.name = "web0",
				     .slots.migration = &migration };
	struct us_handoff *handoff = NULL;
	struct us_handoff_peer peer;
	int listener;

	us_list_init(&vm.base.pairs);
	us_list_append(&vm.base.pairs, &pair.link);
	park(&pair);
	peer = (struct us_handoff_peer){ connect_to_nobody(&listener), "token" };
	assert_int_equal(us_handoff_new(&handoff, &vm, &peer, on_done, NULL), 0);
	is_flooding = true;
	assert_true(sd_event_run(loop, UINT64_MAX) > 0);
	assert_true(client_turn_comes(loop));
	is_flooding = false;
	assert_true(reads > 0);
	assert_true(us_handoff_frames(handoff) > 0);
	us_handoff_free(handoff);
	us_client_free((struct us_client *)peer.client);
	us_steer_free(pair.steer);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clients_are_served) };
	int standby, result;

	if (!testbed_enter())
		return TESTBED_SKIP;
	testbed_run("ip link add br0 up type bridge mcast_snooping 0");
	standby = testbed_tap("standby", "br0");
	other = testbed_tap("other", "br0");
	assert_true(sd_event_new(&loop) >= 0);
	result = cmocka_run_group_tests_name("handoff-flood", tests, NULL, NULL);
	sd_event_unref(loop);
	close(standby);
	close(other);
	return result;
}
