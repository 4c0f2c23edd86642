/* SPDX-License-Identifier: BSD-3-Clause */
/* A pair's switch: how the pair finds it, its original entry, and the path of the pair's frames. */
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Logs what became of parked frames since the last time: none is lost silently. */
static void log_parked(struct us_host_pair *pair)
{
	struct us_park_counts counts, logged = pair->logged;

	us_steer_counts(pair->steer, &counts);
	pair->logged = counts;
	counts.parked -= logged.parked;
	counts.released -= logged.released;
	counts.overflowed -= logged.overflowed;
	counts.undelivered -= logged.undelivered;
	if (counts.overflowed || counts.undelivered)
		us_log(LOG_WARNING,
		       "%s: frames lost: %" PRIu64 " because the park buffer was full, %" PRIu64
		       " because the port refused them; released %" PRIu64 " of %" PRIu64,
		       pair->spec.name, counts.overflowed, counts.undelivered, counts.released,
		       counts.parked);
	else if (counts.parked)
		us_log(LOG_INFO,
		       "%s: released %" PRIu64 " parked frames, of which at most %u at once",
		       pair->spec.name, counts.released, counts.frames_max);
}

bool us_host_pair_has_lost_tap(const struct us_host_pair *pair)
{
	return us_vmm_is_domain(pair->vm->vmm) && !if_nametoindex(pair->spec.port);
}

static void steered(struct us_host_pair *pair, enum us_path path, int r,
		    const struct us_reason *reason)
{
	if (r != 0 && !us_host_pair_has_lost_tap(pair))
		us_optional_set(&pair->detail, r < 0 ? us_strerror(r) : reason->text);
	us_host_pair_feed(
		pair, (struct us_event){ .type = US_EVENT_STEERED, .path = path, .on = r == 0 });
}

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
	log_parked(userdata);
	steered(userdata, path, r, reason);
}

int us_host_pair_sync_vf(struct us_host_pair *pair, struct us_reason *reason)
{
	us_host_vf_sync_visibility(pair->vf);
	return us_steer_set_sriov(pair->steer, us_host_vf_sriov(pair->vf), reason);
}

/* On disk before the first change: else a daemon that dies would leave its own entry as found. */
static void learn_original_entry(struct us_host_pair *pair)
{
	if (us_steer_save(pair->steer, pair->original_entry, sizeof(pair->original_entry)) != 0)
		return;
	pair->has_original_entry = true;
	pair->pairs->handler->save(pair->pairs->userdata, pair);
}

int us_host_pair_find_switch(struct us_host_pair *pair, struct us_reason *reason)
{
	struct us_steer_config config = {
		.standby_port = pair->spec.port,
		.primary_port = pair->spec.primary.port[0] ? pair->spec.primary.port : NULL,
		.loop = pair->pairs->config.loop,
		.steered = on_steered,
		.userdata = pair,
		.limits = { .budget = &pair->pairs->park_budget,
			    .frames = pair->spec.options.frames,
			    .bytes = pair->spec.options.bytes },
	};
	int r;

	if (pair->steer)
		return 0;
	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	r = us_steer_new_bridge(&pair->steer, &config, reason);
	if (r != 0)
		return r;
	r = us_host_pair_sync_vf(pair, reason);
	if (r != 0) {
		us_steer_abandon(US_STEAL(pair->steer));
		return r;
	}
	/* A saved entry that does not fit the switch any more is not restored: it stays as it is.
	 */
	if (pair->has_original_entry)
		us_steer_restore(pair->steer, pair->original_entry);
	else
		learn_original_entry(pair);
	return 0;
}

void us_host_pair_steer_to(struct us_host_pair *pair, const struct us_effect *effect)
{
	struct us_reason reason = { .text = "" };
	int r = us_host_pair_find_switch(pair, &reason);

	us_host_vf_sync_visibility(pair->vf);
	if (r == 0)
		r = us_steer_to(pair->steer, effect->path, &reason);
	if (r != US_PARK_RELEASING)
		steered(pair, effect->path, r, &reason);
}
