/* SPDX-License-Identifier: BSD-3-Clause */
/* The handoff at the source: polls the park buffers of the pairs and sends their frames. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/migration-private.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	/* The limit for the frames of one call, as JSON text. A longer frame has a call of its own.
	 * Either call is shorter than the 128 KiB that a server accepts. */
	BATCH_BYTES = 64 * 1024,
	PUNCTUATION_BYTES = 3, /* two quotes and a comma for each frame */
	POLL_USEC = 5 * 1000,
	TURNS_MAX = 4096,	  /* far more than a full park buffer needs */
	QUIET_USEC = 1000 * 1000, /* time without a frame after which the network has converged */
};

struct us_handoff {
	struct us_host_vm *vm;
	struct us_handoff_peer peer;
	sd_event_source *timer;
	uint64_t last_frame_usec;
	size_t frames;
	unsigned unanswered; /* calls */
	unsigned turns;	     /* of the loop, until all parked frames were sent */
	bool is_late;	     /* all parked frames are sent */
	bool is_over;
	us_handoff_done_fn done;
	void *userdata;

	/* The call being filled */
	const struct us_host_pair *pair;
	json_t *batch;
	size_t batch_bytes;
};

static void end(struct us_handoff *handoff, const struct us_reason *reason)
{
	if (handoff->is_over)
		return;
	handoff->is_over = true;
	sd_event_source_set_enabled(handoff->timer, SD_EVENT_OFF);
	handoff->done(handoff->userdata, reason);
}

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_handoff *handoff = userdata;
	struct us_reason reason;

	handoff->unanswered--;
	if (!error)
		return;
	us_peer_reason(error, parameters, &reason);
	end(handoff, &reason);
}

static void send_batch(struct us_handoff *handoff)
{
	US_CLEANUP(json_decrefp) json_t *frames = US_STEAL(handoff->batch);
	const char *state = handoff->is_late ? "late" : "held";
	struct us_reason reason;
	int r;

	handoff->batch_bytes = 0;
	if (!frames || handoff->is_over)
		return;
	r = us_handoff_call(&handoff->peer, handoff->pair, state, US_STEAL(frames), on_answer,
			    handoff);
	if (r == 0) {
		handoff->unanswered++;
		return;
	}
	us_refuse(&reason, "%s", us_strerror(r));
	end(handoff, &reason);
}

static void append_frame(void *userdata, const struct us_frame *frame)
{
	static char text[US_HANDOFF_TEXT_BYTES];
	struct us_handoff *handoff = userdata;
	size_t bytes;

	if (!us_handoff_encode(frame, text))
		return;
	bytes = strlen(text) + PUNCTUATION_BYTES;
	if (handoff->batch_bytes + bytes > BATCH_BYTES)
		send_batch(handoff);
	if (!handoff->batch)
		handoff->batch = json_array();
	json_array_append_new(handoff->batch, json_string(text));
	handoff->batch_bytes += bytes;
	handoff->frames++;
	handoff->last_frame_usec = us_now_usec();
}

/* Returns whether the pair's park buffer is empty now. */
static bool send_some(struct us_handoff *handoff, struct us_host_pair *pair)
{
	struct us_park *park = us_host_pair_park(pair);
	bool is_all = true;

	handoff->pair = pair;
	/* Not during a release: its end would not be reported. */
	if (park && !us_pair_is_steering(us_host_pair_engine(pair)))
		is_all = us_park_take(park, append_frame, handoff);
	send_batch(handoff);
	return is_all;
}

/* An empty call tells the destination that all parked frames have been sent. */
static void send_late(struct us_handoff *handoff)
{
	struct us_host_pair *pair;

	handoff->is_late = true;
	us_host_vm_for_each_pair (pair, handoff->vm) {
		handoff->pair = pair;
		handoff->batch = json_array();
		send_batch(handoff);
	}
}

static int on_poll(sd_event_source *timer, uint64_t usec, void *userdata)
{
	struct us_handoff *handoff = userdata;
	struct us_host_pair *pair;
	bool is_all = true;

	us_host_vm_for_each_pair (pair, handoff->vm)
		is_all &= send_some(handoff, pair);
	/* Frames that arrive faster than they can be sent count as late, too. */
	if (!handoff->is_late && (is_all || ++handoff->turns == TURNS_MAX))
		send_late(handoff);
	/* In a flood of frames, clients get their turn. */
	sd_event_source_set_priority(timer, is_all ? US_PRIORITY_HOST : US_PRIORITY_CHANGING);
	sd_event_source_set_time_relative(timer, is_all ? POLL_USEC : 0);
	if (!handoff->is_over && !handoff->unanswered &&
	    us_now_usec() - handoff->last_frame_usec >= QUIET_USEC)
		end(handoff, NULL);
	return 0;
}

int us_handoff_new(struct us_handoff **ret_handoff, struct us_host_vm *vm,
		   const struct us_handoff_peer *peer, us_handoff_done_fn done, void *userdata)
{
	struct us_handoff *handoff = calloc(1, sizeof(*handoff));
	int r;

	if (!handoff)
		return -ENOMEM;
	handoff->vm = vm;
	handoff->peer = *peer;
	handoff->last_frame_usec = us_now_usec();
	handoff->done = done;
	handoff->userdata = userdata;
	r = sd_event_add_time_relative(us_host_vm_loop(vm), &handoff->timer, CLOCK_MONOTONIC, 0, 1,
				       on_poll, handoff);
	if (r >= 0)
		r = sd_event_source_set_enabled(handoff->timer, SD_EVENT_ON);
	if (r < 0) {
		us_handoff_free(handoff);
		return r;
	}
	*ret_handoff = handoff;
	return 0;
}

void us_handoff_free(struct us_handoff *handoff)
{
	if (!handoff)
		return;
	sd_event_source_disable_unref(handoff->timer);
	json_decref(handoff->batch);
	free(handoff);
}

size_t us_handoff_frames(const struct us_handoff *handoff)
{
	return handoff->frames;
}
