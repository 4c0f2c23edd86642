/* SPDX-License-Identifier: BSD-3-Clause */
/* Links, the bare loop, and parking. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/frame/packet.h"
#include "net/park/park-tap.h"
#include "net/park/park.h"
#include "support/park-rig.h"
#include "util/clock.h"

enum {
	BATCH = 64,
	QUEUE_FRAMES = 100 * 1000,
	SETTLE_USEC = 20 * 1000,
	RELEASE_MAX_USEC = 30 * 1000 * 1000,
};

static void fail(const char *what)
{
	fprintf(stderr, "park-rig: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(const char *what, int r, const struct us_reason *reason)
{
	if (r == 0)
		return;
	fprintf(stderr, "park-rig: %s: %d: %s\n", what, r, reason ? reason->text : "");
	exit(1);
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail(command);
}

static uint64_t processor_nsec(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* ---- The bare loop ---- */

/* Sends what it has read: how many. */
static int pass(int tap, int port, struct park_traffic_frame *messages)
{
	struct mmsghdr vector[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int count = 0, sent = 0;

	for (ssize_t length; count < BATCH; count++) {
		length = read(tap, &messages[count], sizeof(*messages));
		if (length < 0)
			break;
		iov[count] = (struct iovec){ .iov_base = &messages[count], .iov_len = length };
		vector[count].msg_hdr.msg_iov = &iov[count];
		vector[count].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		int r = sendmmsg(port, vector + sent, count - sent, 0);

		if (r < 0)
			fail("the bare loop");
		sent += r;
	}
	return sent;
}

struct park_rig_bare_loop park_rig_bare_loop(struct park_rig *rig,
					     const struct park_traffic_load *load, double sec)
{
	const struct us_packet_config config = { .kind = US_PACKET_SEND,
						 .port = if_nametoindex("primary") };
	struct park_traffic_frame *messages = calloc(BATCH, sizeof(*messages));
	struct park_rig_bare_loop result;
	struct us_reason reason = { .text = "" };
	struct us_link standby, tap;
	uint64_t begin_usec, now_usec, begin_nsec, passed = 0;
	char command[100];
	int fd, port;

	check("standby", us_link_get("standby", &standby, &reason), &reason);
	check("tap", us_park_tap_new(&standby, QUEUE_FRAMES, &fd, &tap, &reason), &reason);
	check("port", us_packet_open(&config, &port), NULL);
	snprintf(command, sizeof(command),
		 "bridge fdb replace 02:00:00:00:00:01 dev %s master static", tap.name);
	run(command);
	park_traffic_start(&rig->traffic, load);
	begin_usec = us_now_usec();
	begin_nsec = processor_nsec();
	do {
		passed += pass(fd, port, messages);
		now_usec = us_now_usec();
	} while (now_usec < begin_usec + sec * 1e6);
	result.rate = passed * 1e6 / (now_usec - begin_usec);
	result.processor_usec = (processor_nsec() - begin_nsec) / 1e3 / passed;
	park_traffic_stop(&rig->traffic);
	close(port);
	close(fd);
	free(messages);
	park_traffic_count(&rig->traffic);
	return result;
}

/* ---- Parking ---- */

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
	struct park_rig *rig = userdata;

	check("release", r, reason);
	rig->is_released = true;
}

/* One turn of the loop. */
static void turn(struct park_rig *rig, uint64_t timeout_usec)
{
	int r = sd_event_prepare(rig->loop);
	uint64_t begin_nsec;

	if (r == 0)
		r = sd_event_wait(rig->loop, timeout_usec);
	begin_nsec = processor_nsec();
	if (r > 0)
		r = sd_event_dispatch(rig->loop);
	if (r < 0)
		fail("the loop");
	begin_nsec = processor_nsec() - begin_nsec;
	if (rig->turn_nsec < begin_nsec)
		rig->turn_nsec = begin_nsec;
}

static void run_for(struct park_rig *rig, double usec)
{
	uint64_t end_usec = us_now_usec() + usec, now_usec;

	while ((now_usec = us_now_usec()) < end_usec)
		turn(rig, end_usec - now_usec);
}

static void release(struct park_rig *rig)
{
	struct us_reason reason = { .text = "" };
	int r = us_steer_to(rig->steer, US_PATH_PRIMARY, &reason);
	uint64_t end_usec = us_now_usec() + RELEASE_MAX_USEC;

	if (r == US_PARK_RELEASING)
		while (!rig->is_released && us_now_usec() < end_usec)
			turn(rig, end_usec - us_now_usec());
	else
		check("release", r, &reason);
	if (r != 0 && !rig->is_released)
		check("release", -ETIMEDOUT, NULL);
}

/* Until none has come for a while. */
static void await_late_frames(struct park_rig *rig)
{
	struct us_park_counts before, counts;

	us_steer_counts(rig->steer, &counts);
	do {
		before = counts;
		run_for(rig, SETTLE_USEC);
		us_steer_counts(rig->steer, &counts);
	} while (counts.parked > before.parked);
}

struct park_rig_result park_rig_hold(struct park_rig *rig, const struct park_traffic_load *load,
				     double sec, bool is_alone)
{
	struct park_rig_result result = { 0 };
	struct us_park_counts before, counts;
	struct park_traffic_count guest;
	struct us_reason reason = { .text = "" };
	uint64_t begin_usec, release_usec, begin_nsec;

	rig->is_released = false;
	rig->turn_nsec = rig->budget.used_max = 0;
	us_steer_counts(rig->steer, &before);
	check("park", us_steer_to(rig->steer, US_PATH_PARKED, &reason), &reason);
	begin_usec = us_now_usec();
	begin_nsec = processor_nsec();
	park_traffic_start(&rig->traffic, load);
	run_for(rig, sec * 1e6);
	if (is_alone)
		park_traffic_stop(&rig->traffic);
	release_usec = us_now_usec();
	release(rig);
	result.release_sec = (us_now_usec() - release_usec) / 1e6;
	if (!is_alone) {
		run_for(rig, SETTLE_USEC);
		park_traffic_stop(&rig->traffic);
	}
	await_late_frames(rig);
	us_steer_counts(rig->steer, &counts);
	result.sent = rig->traffic.sent;
	begin_nsec = processor_nsec() - begin_nsec;
	result.parked = counts.parked - before.parked;
	result.overflowed = counts.overflowed - before.overflowed;
	result.processor_usec = begin_nsec / 1e3 / result.parked;
	result.hold_sec = (release_usec - begin_usec) / 1e6;
	result.turn_sec = rig->turn_nsec / 1e9;
	result.memory = rig->budget.used_max;
	guest = park_traffic_count(&rig->traffic);
	result.lost = result.sent - guest.received;
	result.reordered = guest.reordered;
	return result;
}

/* ---- Life ---- */

void park_rig_open(struct park_rig *rig, uint64_t park_bytes)
{
	struct us_steer_config config = { .standby_port = "standby",
					  .primary_port = "primary",
					  .steered = on_steered,
					  .userdata = rig };
	struct us_reason reason = { .text = "" };

	*rig = (struct park_rig){ .budget.limit = UINT64_MAX };
	run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
	    "for pair in standby:standby-end primary:guest source-end:source; do "
	    "ip link add ${pair%:*} type veth peer ${pair#*:} && "
	    "ip link set ${pair#*:} up && ip link set ${pair%:*} up master br0 && "
	    "bridge link set dev ${pair%:*} learning off || exit 1; done; "
	    "until [ \"$(bridge link | grep -c 'state forwarding')\" = 3 ]; do sleep 0.01; done");
	park_traffic_open(&rig->traffic, "source", "guest");
	if (sd_event_new(&rig->loop) < 0)
		fail("the loop");
	config.loop = rig->loop;
	config.limits.budget = &rig->budget;
	config.limits.bytes = park_bytes;
	config.limits.frames = UINT32_MAX;
	memcpy(config.mac, park_traffic_mac, sizeof(config.mac));
	check("steer", us_steer_new_bridge(&rig->steer, &config, &reason), &reason);
}

void park_rig_close(struct park_rig *rig)
{
	us_steer_free(rig->steer);
	sd_event_unref(rig->loop);
	park_traffic_close(&rig->traffic);
	run("ip link del br0; ip link del source; ip link del guest; ip link del standby");
}
