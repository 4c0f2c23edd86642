/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a guest uses the primary that it is shown: the interfaces behind the pair count the
 * frames that come from it. One that sends over its standby, and nothing over the primary, has
 * taken the primary's link down, or never joined the two; what the switch sends to the primary is
 * lost to it. A guest that sends nothing at all shows nothing.
 */
#include <net/if.h>
#include <stdio.h>

#include "daemon/pair/pair-private.h"
#include "net/netlink/link.h"
#include "util/clock.h"
#include "util/optional-string.h"

enum {
	LOOK_USEC = 5 * 1000 * 1000,
	LOOKS = 2,	   /* that say so: a guest may listen on a link before it sends there */
	FRAMES_ENOUGH = 4, /* over the standby, at each: the odd one says nothing */
};

static uint64_t count_from_guest(const char *port)
{
	struct us_link_traffic traffic = { 0 };

	us_link_get_traffic(if_nametoindex(port), &traffic);
	return traffic.received;
}

/* The frames of a VF without a representor are not counted by an interface of this host. */
static uint64_t count_from_primary(const struct us_host_pair *pair)
{
	return us_host_vf_pf(pair->vf) ? 0 : count_from_guest(pair->spec.primary.port);
}

static void look_later(struct us_host_pair *pair)
{
	pair->standby_frames = count_from_guest(pair->spec.port);
	pair->primary_frames = count_from_primary(pair);
	us_timer_set(&pair->idle_timer, us_now_usec() + LOOK_USEC);
}

static void tell(struct us_host_pair *pair, const char *words)
{
	us_optional_set(&pair->detail, words);
	pair->pairs->handler->moved(pair->pairs->userdata, pair, us_pair_primary(&pair->engine),
				    true);
}

void us_idle_primary_check(void *userdata)
{
	struct us_host_pair *pair = userdata;
	uint64_t over_standby = count_from_guest(pair->spec.port) - pair->standby_frames;
	uint64_t over_primary = count_from_primary(pair) - pair->primary_frames;
	bool was_unused = pair->is_idle;
	char words[128];

	if (over_primary == 0 && over_standby >= FRAMES_ENOUGH)
		pair->idle_checks++;
	else
		pair->idle_checks = 0;
	pair->is_idle = pair->idle_checks >= LOOKS;
	look_later(pair);
	snprintf(words, sizeof(words),
		 "primary visible but unused: %u frames came over the standby in the last %u s, "
		 "and none over the primary",
		 (unsigned)over_standby, LOOK_USEC / (unsigned)US_USEC_PER_SEC);
	if (pair->is_idle && !was_unused)
		tell(pair, words);
	else if (was_unused && !pair->is_idle)
		tell(pair, "");
	if (pair->is_idle)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_IDLE });
}

void us_idle_primary_follow(struct us_host_pair *pair)
{
	bool is_visible = us_pair_primary(&pair->engine) == US_PRIMARY_VISIBLE &&
			  pair->spec.options.unused != US_UNUSED_IGNORE;

	if (is_visible && !us_timer_is_set(&pair->idle_timer)) {
		look_later(pair);
	} else if (!is_visible) {
		us_timer_stop(&pair->idle_timer);
		pair->idle_checks = 0;
		pair->is_idle = false;
	}
}
