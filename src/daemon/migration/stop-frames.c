/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Most of the frames that QEMU has not delivered when it stops the guest wait in the queues of its
 * tap (net/undelivered/drain.h). Up to two for each queue QEMU has consumed already
 * (net/undelivered/capture.h): a *consumed* frame is one that QEMU has read from the tap and not
 * delivered.
 * net/undelivered/README.md explains why there are consumed frames, and the three sources that tell
 * which ones they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/migration-private.h"
#include "net/frame/frame.h"
#include "net/netlink/link.h"
#include "net/steer/steer.h"
#include "net/undelivered/capture.h"
#include "net/undelivered/drain.h"
#include "net/undelivered/ring-offset.h"
#include "util/clock.h"

enum {
	QUEUES_MAX = 16,
	CONSUMED_MAX = 2, /* in each queue: net/undelivered/capture.h */
	SAMPLE_USEC = 100 * 1000,
	FIRST_SAMPLES_USEC = 20 * 1000, /* faster: a transfer may be short */
	FIRST_SAMPLES = 25,
};

struct queue {
	struct us_capture *capture; /* of what went out of the tap's queue */
	struct us_ring_offset ring_offset;
	bool has_last, is_taken;
	struct us_last_frame last; /* the last one that the guest received, if has_last */
};

/* The query under way: which frame did the guest receive last, in each queue? */
enum query {
	QUERY_NONE,
	QUERY_SAMPLE, /* repeated while the guest runs */
	QUERY_FINAL,  /* once, after the stop */
};

struct us_stop_frames {
	struct us_host_pair *pair;
	bool is_last_known;    /* queues[].last is as of the stop */
	uint64_t read_at_stop; /* frames that QEMU had read from the tap then */
	struct us_timer sampling;
	unsigned samples;
	enum query query;
	size_t queried;			/* queues */
	void (*on_queried)(void *pair); /* set: the final query was requested */

	/* While frames are taken */
	struct us_park *park;
	int draining; /* number of the drained queue; -1: none yet */
	size_t taken, taken_consumed;

	size_t queue_count;
	struct queue queues[];
};

/* The tap counts a frame as sent when QEMU reads it. */
static uint64_t read_count(const struct us_host_pair *pair)
{
	struct us_link_traffic traffic = { 0 };
	struct us_link link;

	if (us_link_get(us_host_pair_spec(pair)->port, &link, NULL) == 0)
		us_link_get_traffic(link.index, &traffic);
	return traffic.sent;
}

/* ---- What the guest received last ---- */

static void query_next(struct us_stop_frames *frames);

static void sample(struct queue *queue)
{
	const struct us_last_frame *last = &queue->last;
	uint64_t number = us_capture_number(queue->capture, last->start, sizeof(last->start), NULL);

	if (number > 0)
		us_ring_offset_sample(&queue->ring_offset, number, last->index);
}

/* The request carries the pair, because the frames may be freed before the answer. */
static void on_last_frame(void *userdata, const struct us_last_frame *last)
{
	struct us_host_pair *pair = userdata;
	struct us_stop_frames *frames = us_migration_of_pair(pair)->frames;
	struct queue *queue;

	us_host_pair_end_request(pair);
	if (!frames || frames->query == QUERY_NONE)
		return;
	queue = &frames->queues[frames->queried++];
	queue->has_last = last != NULL;
	if (last)
		queue->last = *last;
	if (last && last->has_start && frames->query == QUERY_SAMPLE)
		sample(queue);
	query_next(frames);
}

static void begin_query(struct us_stop_frames *frames, enum query query)
{
	frames->query = query;
	frames->queried = 0;
	for (size_t i = 0; i < frames->queue_count; i++)
		frames->queues[i].has_last = false;
	query_next(frames);
}

static void end_query(struct us_stop_frames *frames)
{
	enum query ended = frames->query;

	frames->query = QUERY_NONE;
	if (ended == QUERY_FINAL)
		frames->on_queried(frames->pair);
	else if (frames->on_queried)
		begin_query(frames, QUERY_FINAL);
}

static void query_next(struct us_stop_frames *frames)
{
	struct us_host_pair *pair = frames->pair;
	int r = -ENOENT;

	if (frames->queried < frames->queue_count)
		r = us_vmm_query_last_frame(us_host_vm_vmm(us_host_vm_of(pair)),
					    us_host_pair_spec(pair)->standby, frames->queried,
					    on_last_frame, pair);
	if (r == 0)
		us_host_pair_begin_request(pair);
	else
		end_query(frames);
}

static void sample_later(struct us_stop_frames *frames)
{
	bool is_first = frames->samples++ < FIRST_SAMPLES;

	us_timer_set(&frames->sampling,
		     us_now_usec() + (is_first ? FIRST_SAMPLES_USEC : SAMPLE_USEC));
}

static void on_sampling(void *userdata)
{
	struct us_stop_frames *frames = userdata;

	if (frames->query == QUERY_NONE)
		begin_query(frames, QUERY_SAMPLE);
	sample_later(frames);
}

void us_stop_frames_query(struct us_stop_frames *frames, void (*done)(void *pair))
{
	us_timer_stop(&frames->sampling);
	frames->on_queried = done;
	if (frames->is_last_known)
		done(frames->pair);
	else if (frames->query == QUERY_NONE)
		begin_query(frames, QUERY_FINAL);
}

static void keep(void *userdata)
{
	struct us_host_pair *pair = userdata;

	us_migration_of_pair(pair)->frames->is_last_known = true;
}

void us_stop_frames_query_early(struct us_stop_frames *frames)
{
	us_stop_frames_query(frames, keep);
}

/* ---- Life ---- */

static int init(struct us_stop_frames *frames, struct us_reason *reason)
{
	const struct us_pair_spec *spec = us_host_pair_spec(frames->pair);
	sd_event *loop = us_host_vm_loop(us_host_vm_of(frames->pair));
	int r = us_timer_init(&frames->sampling, loop, on_sampling, frames);

	for (size_t i = 0; i < frames->queue_count && r == 0; i++)
		r = us_capture_new(&frames->queues[i].capture, loop, spec->port, spec->mac,
				   frames->queue_count > 1 ? (int)i : -1, reason);
	return r;
}

int us_stop_frames_new(struct us_stop_frames **ret_frames, struct us_host_pair *pair,
		       struct us_reason *reason)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	size_t count = spec->queue_pairs > 1 ? spec->queue_pairs : 1;
	struct us_stop_frames *frames;
	int r;

	if (count > QUEUES_MAX)
		return us_refuse(reason, "%s has %zu queue pairs: more than %d are not supported",
				 spec->standby, count, QUEUES_MAX);
	frames = calloc(1, sizeof(*frames) + count * sizeof(*frames->queues));
	if (!frames)
		return -ENOMEM;
	frames->pair = pair;
	frames->queue_count = count;
	r = init(frames, reason);
	if (r != 0) {
		us_stop_frames_free(frames);
		return r;
	}
	sample_later(frames);
	*ret_frames = frames;
	return 0;
}

void us_stop_frames_free(struct us_stop_frames *frames)
{
	if (!frames)
		return;
	for (size_t i = 0; i < frames->queue_count; i++)
		us_capture_free(frames->queues[i].capture);
	us_timer_deinit(&frames->sampling);
	free(frames);
}

void us_stop_frames_note_stop(struct us_stop_frames *frames)
{
	frames->read_at_stop = read_count(frames->pair);
	frames->is_last_known = false;
	us_timer_stop(&frames->sampling);
}

/* ---- Taking them ---- */

static void put(struct us_stop_frames *frames, const struct us_frame *frame, bool is_consumed)
{
	/* Broadcast and multicast frames have reached the destination, too. */
	if (!us_frame_is_to(frame->bytes, frame->length, us_host_pair_spec(frames->pair)->mac) ||
	    !us_park_put(frames->park, frame, true))
		return;
	frames->taken++;
	frames->taken_consumed += is_consumed;
}

/* The consumed frames before @next, the oldest first: their number, or -ENOENT if unknown. */
static int find_consumed(const struct queue *queue, const struct us_frame *next,
			 const struct us_frame *ret_frames[CONSUMED_MAX])
{
	const struct us_last_frame *last = &queue->last;
	uint64_t number;
	int count;

	if (!queue->has_last)
		return -ENOENT;
	if (last->has_start) {
		number = us_capture_number(queue->capture, last->start, sizeof(last->start), next);
		count = us_capture_after(queue->capture, number, next, ret_frames, CONSUMED_MAX);
		if (count >= 0)
			return count;
	}
	number = us_ring_offset_number(&queue->ring_offset, last->index);
	if (!us_capture_took_one_buffer_each(queue->capture, queue->ring_offset.number, number))
		return -ENOENT;
	return us_capture_after(queue->capture, number, next, ret_frames, CONSUMED_MAX);
}

/* Parks the consumed frames. @next: the first frame in this queue of the tap; NULL: it is empty. */
static void take_consumed(struct us_stop_frames *frames, struct queue *queue,
			  const struct us_frame *next)
{
	const struct us_frame *consumed[CONSUMED_MAX];
	int count = find_consumed(queue, next, consumed);

	queue->is_taken = true;
	/* QEMU stops reading after it has consumed a frame: a frame in the tap proves one. If the
	 * tap is empty, its count does. */
	if (count < 0 && (next || (frames->queue_count == 1 &&
				   read_count(frames->pair) > frames->read_at_stop))) {
		consumed[0] = us_capture_before(queue->capture, next);
		count = consumed[0] != NULL;
	}
	for (int i = 0; i < count; i++)
		put(frames, consumed[i], true);
}

/* The first frame of a drained queue shows which capture belongs to this queue. */
static void put_drained(void *userdata, int number, const struct us_frame *frame)
{
	struct us_stop_frames *frames = userdata;

	for (size_t i = 0; frames->draining != number && i < frames->queue_count; i++) {
		struct queue *queue = &frames->queues[i];

		if (queue->is_taken || !us_capture_has(queue->capture, frame))
			continue;
		frames->draining = number;
		take_consumed(frames, queue, frame);
	}
	frames->draining = number;
	put(frames, frame, false);
}

size_t us_stop_frames_take(struct us_stop_frames *frames, bool drains, size_t *ret_consumed,
			   struct us_reason *reason)
{
	struct us_host_pair *pair = frames->pair;

	frames->park = us_steer_park(us_host_pair_steer(pair));
	frames->draining = -1;
	frames->taken = frames->taken_consumed = 0;
	if (drains && us_migration_of_pair(pair)->drain)
		us_drain_each(us_migration_of_pair(pair)->drain, put_drained, frames);
	else if (drains)
		us_refuse(reason, "the queues of %s were not found", us_host_pair_spec(pair)->port);
	for (size_t i = 0; i < frames->queue_count; i++)
		if (!frames->queues[i].is_taken)
			take_consumed(frames, &frames->queues[i], NULL);
	*ret_consumed = frames->taken_consumed;
	return frames->taken;
}
