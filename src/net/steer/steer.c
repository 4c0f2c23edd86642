/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of one MAC address, over any switch (net/steer/switch.h): which port its frames go to,
 * and parking between two ports.
 *
 * Owns the park, from the first parking until the last late frame was sent on. Changes nothing in
 * a switch itself: the back end does.
 * Invariants: the VF's card is told before the switch, so frames never reach a card that discards
 * them; while frames are parked, the switch directs new ones to the park tap, so none overtakes.
 */
#include <errno.h>
#include <string.h>

#include "net/steer/card.h"
#include "net/steer/steer.h"
#include "net/steer/switch.h"
#include "net/vf/sriov.h"

struct us_steer {
	struct us_steer_switch *back_end; /* owned */
	struct us_steer_card card;

	struct us_steer_config config; /* its strings are valid during us_steer_new() only */
	struct us_park *park; /* from the first parking until a second after the last release */
	struct us_park_counts past; /* of the parks before it */
	bool is_parked;		    /* the switch directs frames to the park tap */
	enum us_path release_to;    /* during a release */
	bool is_delivering;	    /* releases frames from elsewhere while nothing is parked */
};

/* ---- Switching: the card, then the switch ---- */

static const char *port_of(const struct us_steer *steer, enum us_path path)
{
	const struct us_steer_switch *back_end = steer->back_end;

	return path == US_PATH_PRIMARY ? back_end->primary : back_end->standby;
}

static int direct(struct us_steer *steer, const struct us_link *port, struct us_reason *reason)
{
	struct us_steer_switch *back_end = steer->back_end;
	int r;

	/* Before and after, at once: new frames overtake those that are in the park tap now. */
	if (steer->is_parked)
		us_park_forward(steer->park);
	r = back_end->ops->direct(back_end, port, reason);
	if (r == 0 && steer->is_parked)
		us_park_forward(steer->park);
	return r == 0 ? back_end->ops->verify(back_end, port, reason) : r;
}

static void clear_park(struct us_steer *steer)
{
	if (steer->is_parked)
		steer->back_end->ops->clear(steer->back_end, us_park_tap(steer->park)->name);
	steer->is_parked = false;
}

static int put_back(struct us_steer *steer, struct us_reason *reason)
{
	clear_park(steer);
	return steer->back_end->ops->put_back(steer->back_end, reason);
}

static int switch_to_port(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	struct us_steer_switch *back_end = steer->back_end;
	struct us_link port;
	int r = us_steer_card_tell(&steer->card, path, reason);

	if (r != 0)
		return r;
	if (path == US_PATH_NONE)
		return put_back(steer, reason);
	r = back_end->ops->find_port(port_of(steer, path), &port, reason);
	if (r == 0)
		r = direct(steer, &port, reason);
	if (r != 0)
		return r;
	back_end->ops->clear(back_end,
			     path == US_PATH_PRIMARY ? back_end->standby : back_end->primary);
	clear_park(steer);
	return 0;
}

static int switch_to_park(struct us_steer *steer, struct us_reason *reason)
{
	struct us_steer_switch *back_end = steer->back_end;
	int r = direct(steer, us_park_tap(steer->park), reason);

	if (r != 0)
		return r;
	steer->is_parked = true;
	back_end->ops->clear(back_end, back_end->standby);
	back_end->ops->clear(back_end, back_end->primary);
	return 0;
}

/* ---- The card ---- */

int us_steer_set_sriov(struct us_steer *steer, struct us_sriov *sriov, struct us_reason *reason)
{
	enum us_path path = US_PATH_NONE;
	int r;

	steer->card.sriov = sriov;
	/* A retry tells the card about its path. */
	if (!sriov || us_steer_card_is_waiting(&steer->card))
		return 0;
	us_steer_card_stop(&steer->card);
	r = us_steer_path(steer, &path);
	if (r == 0)
		r = us_steer_card_tell(&steer->card, path, reason);
	r = us_steer_card_retry(&steer->card, path, r);
	return r == US_PARK_RELEASING ? 0 : r;
}

/* A card that refuses is set again with the next path. */
void us_steer_set_answering(struct us_steer *steer, bool is_answering)
{
	enum us_path path;

	if (!steer->card.sriov || us_steer_path(steer, &path) != 0)
		return;
	if (is_answering)
		us_sriov_steer(steer->card.sriov, US_SRIOV_GUEST, NULL);
	else
		us_steer_card_tell(&steer->card, path, NULL);
}

/* ---- The park buffer ---- */

/* Frames that are still parked are lost. */
static void end_park(void *userdata)
{
	struct us_steer *steer = userdata;

	us_steer_counts(steer, &steer->past);
	steer->past.undelivered += steer->past.frames;
	us_park_free(US_STEAL(steer->park));
}

/* The result of us_steer_to(), unless it comes later. A refusal has the last attempt's reason. */
static void report(struct us_steer *steer, enum us_path path, int r, const struct us_reason *reason)
{
	if (r != US_PARK_RELEASING)
		steer->config.steered(steer->config.userdata, path, r, reason);
}

static void on_emptied(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason = { .text = "" };
	enum us_path path = steer->release_to;
	int r;

	if (steer->is_delivering) {
		steer->is_delivering = false;
		us_park_finish(steer->park);
		return;
	}
	r = switch_to_port(steer, path, &reason);
	if (r == 0)
		us_park_finish(steer->park);
	else
		us_park_start_buffering(steer->park);
	report(steer, path, us_steer_card_retry(&steer->card, path, r), &reason);
}

static void on_failed(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason;

	if (steer->is_delivering) {
		steer->is_delivering = false;
		end_park(steer);
		return;
	}
	us_refuse(&reason, "interface %s: is gone", port_of(steer, steer->release_to));
	report(steer, steer->release_to, US_REFUSED, &reason);
}

static const struct us_park_handler park_handler = { on_emptied, on_failed, end_park };

static int new_park(struct us_steer *steer, struct us_reason *reason)
{
	struct us_park_config config = { .loop = steer->config.loop,
					 .limits = steer->config.limits };
	struct us_steer_switch *back_end = steer->back_end;
	struct us_link standby;
	int r = back_end->ops->find_port(back_end->standby, &standby, reason);

	if (r == 0)
		r = back_end->ops->make_park(&standby, us_park_queue_frames(&steer->config.limits),
					     &config.tap_fd, &config.tap, reason);
	if (r != 0)
		return r;
	memcpy(config.mac, back_end->mac, sizeof(config.mac));
	return us_park_new(&steer->park, &config, &park_handler, steer);
}

/* A switch that was made again does not have the tap of an earlier park. */
static bool has_usable_tap(const struct us_steer *steer)
{
	struct us_steer_switch *back_end = steer->back_end;
	struct us_link standby, tap;

	return back_end->ops->find_port(back_end->standby, &standby, NULL) == 0 &&
	       back_end->ops->find_port(us_park_tap(steer->park)->name, &tap, NULL) == 0 &&
	       tap.master == standby.master;
}

int us_steer_make_park(struct us_steer *steer, struct us_reason *reason)
{
	if (steer->park && us_park_is_finished(steer->park) && !has_usable_tap(steer))
		end_park(steer);
	if (!steer->park)
		return steer->config.loop ? new_park(steer, reason)
					  : us_refuse(reason, "frames cannot be parked here");
	if (us_park_is_finished(steer->park)) /* it is about to go */
		us_park_start_buffering(steer->park);
	return 0;
}

void us_steer_drop_park(struct us_steer *steer)
{
	if (steer->park && !steer->is_parked && !steer->is_delivering &&
	    !us_park_is_finished(steer->park))
		us_park_finish(steer->park);
}

struct us_park *us_steer_park(struct us_steer *steer)
{
	return steer->park;
}

void us_steer_counts(const struct us_steer *steer, struct us_park_counts *ret_counts)
{
	struct us_park_counts counts = { 0 };

	if (steer->park)
		us_park_counts(steer->park, &counts);
	counts.parked += steer->past.parked;
	counts.parked_bytes += steer->past.parked_bytes;
	counts.released += steer->past.released;
	counts.overflowed += steer->past.overflowed;
	counts.undelivered += steer->past.undelivered;
	*ret_counts = counts;
}

/* ---- Paths ---- */

static int park(struct us_steer *steer, struct us_reason *reason)
{
	enum us_path present;
	int r = us_steer_make_park(steer, reason);

	if (r != 0)
		return r;
	us_park_start_buffering(steer->park);
	steer->is_delivering = false;
	r = us_steer_card_tell(&steer->card, US_PATH_PARKED, reason);
	if (r != 0)
		return r;
	if (steer->is_parked && us_steer_path(steer, &present) == 0 && present == US_PATH_PARKED)
		return 0;
	r = switch_to_park(steer, reason);
	if (r != 0)
		us_steer_drop_park(steer);
	return r;
}

static int release_to_port(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	struct us_link port;
	int r = us_link_get(port_of(steer, path), &port, reason);

	return r == 0 ? us_park_release(steer->park, &port, reason) : r;
}

static int release(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	int r = us_steer_card_tell(&steer->card, path, reason);

	if (r == 0)
		r = release_to_port(steer, path, reason);
	if (r == US_PARK_RELEASING) {
		steer->release_to = path;
		return r;
	}
	if (r != 0 && path != US_PATH_NONE)
		return r;
	/* Nothing is parked, or there is no port that could get it. */
	r = switch_to_port(steer, path, reason);
	if (r == 0)
		us_park_finish(steer->park);
	return r;
}

static int steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	int r;

	if (path == US_PATH_PARKED)
		r = park(steer, reason);
	else if (steer->is_parked)
		r = release(steer, path, reason);
	else
		r = switch_to_port(steer, path, reason);
	return us_steer_card_retry(&steer->card, path, r);
}

static void on_retry(void *userdata)
{
	struct us_steer *steer = userdata;
	struct us_reason reason = { .text = "" };
	enum us_path path = steer->card.path;

	report(steer, path, steer_to(steer, path, &reason), &reason);
}

int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason)
{
	if (path >= US_PATH_N)
		return -EINVAL;
	if (path == US_PATH_PRIMARY && !steer->back_end->primary[0])
		return us_refuse(reason, "the pair has no primary port");
	us_steer_card_stop(&steer->card);
	return steer_to(steer, path, reason);
}

int us_steer_path(struct us_steer *steer, enum us_path *ret_path)
{
	int park = steer->is_parked ? us_park_tap(steer->park)->index : 0;

	return steer->back_end->ops->get_path(steer->back_end, park, ret_path);
}

/* ---- Frames from another host ---- */

static int begin_delivery(struct us_steer *steer, struct us_reason *reason)
{
	enum us_path path = US_PATH_NONE;
	int r = us_steer_path(steer, &path);

	if (r == 0)
		r = release_to_port(steer, path, reason);
	if (r != US_PARK_RELEASING)
		return r;
	steer->is_delivering = true;
	return 0;
}

int us_steer_deliver(struct us_steer *steer, const struct us_frame *frame, struct us_reason *reason)
{
	int r = us_steer_make_park(steer, reason);

	if (r != 0)
		return r;
	us_park_put(steer->park, frame, true);
	if (steer->is_parked || steer->is_delivering)
		return 0;
	r = begin_delivery(steer, reason);
	us_steer_drop_park(steer); /* if it did not begin */
	return r;
}

/* ---- Life ---- */

static void destroy(struct us_steer *steer)
{
	us_timer_deinit(&steer->card.retry);
	us_park_free(steer->park);
	steer->back_end->ops->free(steer->back_end);
	free(steer);
}
US_DEFINE_CLEANUP(struct us_steer *, destroy)

int us_steer_new(struct us_steer **ret_steer, const struct us_steer_config *config,
		 struct us_steer_switch *back_end, struct us_reason *reason)
{
	US_CLEANUP(destroyp) struct us_steer *steer = calloc(1, sizeof(*steer));
	struct us_link standby;
	int r;

	if (!steer) {
		back_end->ops->free(back_end);
		return -ENOMEM;
	}
	steer->back_end = back_end;
	steer->config = *config;
	memcpy(back_end->mac, config->mac, sizeof(back_end->mac));

	r = back_end->ops->find_port(config->standby_port, &standby, reason);
	if (r != 0)
		return r;
	memcpy(back_end->standby, standby.name, sizeof(back_end->standby));
	r = us_steer_set_primary(steer, config->primary_port, reason);
	if (r == 0)
		r = back_end->ops->remember(back_end, &standby, reason);
	if (r == 0 && steer->config.loop)
		r = us_timer_init(&steer->card.retry, steer->config.loop, on_retry, steer);
	if (r == 0)
		*ret_steer = US_STEAL(steer);
	return r;
}

int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason)
{
	struct us_steer_switch *back_end = steer->back_end;
	struct us_link standby, primary;
	int r;

	if (!port) {
		back_end->primary[0] = '\0';
		return 0;
	}
	r = back_end->ops->find_port(back_end->standby, &standby, reason);
	if (r == 0)
		r = back_end->ops->find_port(port, &primary, reason);
	if (r == 0)
		r = back_end->ops->check_ports(&standby, &primary, reason);
	if (r == 0)
		memcpy(back_end->primary, primary.name, sizeof(back_end->primary));
	return r;
}

static void flush_to(struct us_steer *steer, const char *name)
{
	struct us_link port;

	if (name[0] && us_link_get(name, &port, NULL) == 0)
		us_park_flush(steer->park, &port);
}

void us_steer_free(struct us_steer *steer)
{
	if (!steer)
		return;
	put_back(steer, NULL);
	if (steer->park)
		flush_to(steer, steer->back_end->standby);
	destroy(steer);
}

void us_steer_abandon(struct us_steer *steer)
{
	if (steer->is_parked) {
		clear_park(steer);
		flush_to(steer, steer->back_end->standby);
		flush_to(steer, steer->back_end->primary);
	}
	destroy(steer);
}

int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size)
{
	return steer->back_end->ops->save(steer->back_end, ret_text, size);
}

int us_steer_restore(struct us_steer *steer, const char *text)
{
	return steer->back_end->ops->restore(steer->back_end, text);
}
