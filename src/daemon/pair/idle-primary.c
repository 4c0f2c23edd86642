/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the guest uses its visible primary. The interfaces of the host count the guest's frames.
 * A guest that sends over its standby and nothing over its primary has set the primary's link down,
 * or has never joined the two devices: it does not receive what the switch sends to the primary.
 * Of a guest that sends nothing at all, nothing is known.
 */
#include <net/if.h>
#include <stdio.h>

#include "daemon/pair/pair-private.h"
#include "net/netlink/link.h"
#include "util/clock.h"

enum {
	CHECK_USEC = 5 * 1000 * 1000,
	IDLE_CHECKS = 2, /* one after the other: a guest may listen on a link before it sends */
	FRAMES_MIN = 4,	 /* over the standby, in each: fewer mean nothing */
};

static uint64_t count_from_guest(const char *port)
{
	struct us_link_traffic traffic = { 0 };

	us_link_get_traffic(if_nametoindex(port), &traffic);
	return traffic.received;
}

/* No interface of this host counts the frames of a VF without a representor. */
static uint64_t count_from_primary(const struct us_host_pair *pair)
{
	return us_host_vf_pf(pair->vf) ? 0 : count_from_guest(pair->spec.primary.port);
}

static void check_later(struct us_host_pair *pair)
{
	pair->standby_frames = count_from_guest(pair->spec.port);
	pair->primary_frames = count_from_primary(pair);
	us_timer_set(&pair->idle_timer, us_now_usec() + CHECK_USEC);
}

static void report(struct us_host_pair *pair, uint64_t over_standby)
{
	char detail[128] = "";

	if (pair->is_idle)
		snprintf(detail, sizeof(detail),
			 "primary visible but unused: %u frames came over the standby in the last "
			 "%u s, and none over the primary",
			 (unsigned)over_standby, CHECK_USEC / (unsigned)US_USEC_PER_SEC);
	us_optional_set(&pair->detail, detail);
	pair->pairs->handler->moved(pair->pairs->userdata, pair, us_pair_primary(&pair->engine),
				    true);
}

void us_idle_primary_check(void *userdata)
{
	struct us_host_pair *pair = userdata;
	uint64_t over_standby = count_from_guest(pair->spec.port) - pair->standby_frames;
	uint64_t over_primary = count_from_primary(pair) - pair->primary_frames;
	bool is_unused = over_primary == 0 && over_standby >= FRAMES_MIN;
	bool was_idle = pair->is_idle;

	pair->idle_checks = is_unused ? pair->idle_checks + 1 : 0;
	pair->is_idle = pair->idle_checks >= IDLE_CHECKS;
	check_later(pair);
	if (pair->is_idle != was_idle)
		report(pair, over_standby);
	if (pair->is_idle)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_IDLE });
}

void us_idle_primary_follow(struct us_host_pair *pair)
{
	bool is_visible = us_pair_primary(&pair->engine) == US_PRIMARY_VISIBLE &&
			  pair->spec.options.unused != US_UNUSED_IGNORE;

	if (is_visible && !us_timer_is_set(&pair->idle_timer)) {
		check_later(pair);
	} else if (!is_visible) {
		us_timer_stop(&pair->idle_timer);
		pair->idle_checks = 0;
		pair->is_idle = false;
	}
}
