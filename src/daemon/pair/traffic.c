/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the guest carries traffic on its primary, after a plug, and whether it has gone back to
 * its standby, during an unplug that takes seconds.
 */
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "util/cleanup.h"

enum {
	PROBE_USEC = 20 * 1000,
	STABLE_USEC = 300 * 1000,
	UNPLUG_STABLE_USEC = 100 * 1000,
	QUIET_USEC = 2 * 1000 * 1000,
};

/* ---- After a plug ---- */

static void on_answering(void *userdata, bool is_answering)
{
	struct us_host_pair *pair = userdata;

	if (pair->steer)
		us_steer_set_answering(pair->steer, is_answering);
}

static bool is_started(void *userdata)
{
	return us_host_vf_is_started(((struct us_host_pair *)userdata)->vf);
}

void us_host_pair_free_watch(struct us_host_pair *pair)
{
	struct us_park *park = pair->steer ? us_steer_park(pair->steer) : NULL;

	if (park)
		us_park_set_observer(park, NULL, NULL);
	us_watch_free(US_STEAL(pair->watch));
}

static void on_traffic(void *userdata, bool ready, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	us_host_pair_free_watch(pair);
	us_host_pair_answer(pair, US_EVENT_TRAFFIC, ready, ready ? NULL : reason->text);
}

static void on_parked(void *userdata, const struct us_frame *frame)
{
	us_watch_learn(userdata, frame->bytes, frame->length);
}

void us_host_pair_watch(struct us_host_pair *pair, const struct us_effect *effect)
{
	static const struct us_watch_handler handler = { .answering = on_answering,
							 .is_started = is_started,
							 .traffic = on_traffic };
	bool is_lossless = pair->spec.options.handover == US_HANDOVER_LOSSLESS;
	struct us_watch_config config = {
		.standby_port = pair->spec.port,
		.primary_port = pair->spec.primary.port,
		.answers_only = us_host_vf_pf(pair->vf),
		.vm_port = pair->spec.port,
		.probe_usec = PROBE_USEC,
		.stable_usec = is_lossless ? STABLE_USEC : 0,
		.quiet_usec = QUIET_USEC,
	};
	struct us_reason reason = { .text = "" };
	int r;

	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	us_host_pair_free_watch(pair);
	r = us_watch_new(&pair->watch, pair->pairs->config.loop, &config, &handler, pair, &reason);
	if (r != 0)
		us_host_pair_answer(pair, US_EVENT_TRAFFIC, false,
				    r < 0 ? us_strerror(r) : reason.text);
	else if (pair->steer && us_steer_park(pair->steer))
		us_park_set_observer(us_steer_park(pair->steer), on_parked, pair->watch);
}

void us_host_pair_unwatch(struct us_host_pair *pair, const struct us_effect *effect)
{
	us_host_pair_free_watch(pair);
	on_answering(pair, false);
}

/* ---- During an unplug ---- */

/* If it cannot be seen, the end of the unplug shows it. */
static void on_standby_traffic(void *userdata, bool ready, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (ready)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_TRAFFIC });
}

/*
 * A guest may have stopped using its primary long before the VMM's DEVICE_DELETED is here: Linux
 * waits up to a second for the slot's power to go, and a libvirtd that hangs delays the event. So
 * the standby is watched, as the primary is after a plug: frames that are sent there reach the
 * guest, or get no answer.
 */
void us_host_pair_follow_unplug(struct us_host_pair *pair)
{
	static const struct us_watch_handler handler = { .traffic = on_standby_traffic };
	struct us_watch_config config = {
		.standby_port = pair->spec.primary.port,
		.primary_port = pair->spec.port,
		.answers_only = true, /* the guest may send there before it listens there */
		.vm_port = pair->spec.port,
		.probe_usec = PROBE_USEC,
		.stable_usec = UNPLUG_STABLE_USEC,
		.quiet_usec = QUIET_USEC,
	};
	struct us_reason reason;

	if (!us_pair_is_leaving(&pair->engine)) {
		us_watch_free(US_STEAL(pair->unplug_watch));
		return;
	}
	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	if (!pair->unplug_watch)
		us_watch_new(&pair->unplug_watch, pair->pairs->config.loop, &config, &handler, pair,
			     &reason);
}
