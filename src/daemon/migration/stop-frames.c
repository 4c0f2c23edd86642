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
#include "net/undelivered/receive-queue.h"
#include "net/undelivered/ring-offset.h"
#include "util/clock.h"

enum {
	QUEUES_MAX = US_RECEIVE_QUEUES_MAX,
	CONSUMED_MAX = 2, /* in each queue: net/undelivered/capture.h */
	SAMPLE_USEC = 100 * 1000,
	FIRST_SAMPLES_USEC = 20 * 1000, /* faster: a transfer may be short */
	FIRST_SAMPLES = 25,
};

struct queue {
	struct us_capture *capture; /* of what went out of the tap's queue */
	struct us_ring_offset ring_offset;
	bool is_taken;
	struct us_last_frame last; /* that the guest received: as of the stop, if it is known */
};

struct us_stop_frames {
	struct us_host_pair *pair;
	struct us_receive_queues *reader;
	uint64_t read_at_stop; /* frames that QEMU had read from the tap then */
	struct us_timer sampling;
	unsigned samples;
	size_t locating; /* the queue whose place was asked for; queue_count: none */
	struct us_receive_queue where[QUEUES_MAX];
	bool is_stopped, is_reading;
	void (*on_known)(void *pair); /* set: somebody waits for what the stop's reading tells */

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

/*
 * While the guest runs, the places of its queues are asked for and samples are read, again and
 * again: a driver may make new queues. At the stop, the memory is read once more. Nothing is asked
 * then, because QEMU answers late, or libvirt ends it before.
 */

static void sample(struct queue *queue)
{
	const struct us_last_frame *last = &queue->last;
	uint64_t number = us_capture_number(queue->capture, last->start, sizeof(last->start), NULL);

	if (number > 0)
		us_ring_offset_sample(&queue->ring_offset, number, last->index);
}

static void read_queues(struct us_stop_frames *frames, us_receive_queues_fn done);

static void tell_known(struct us_stop_frames *frames)
{
	void (*on_known)(void *pair) = frames->on_known;

	frames->on_known = NULL;
	if (on_known)
		on_known(frames->pair);
}

static void on_last(void *userdata, const struct us_last_frame *last)
{
	struct us_stop_frames *frames = userdata;

	frames->is_reading = false;
	for (size_t i = 0; i < frames->queue_count; i++)
		frames->queues[i].last = last[i];
	tell_known(frames);
}

static void on_sample(void *userdata, const struct us_last_frame *last)
{
	struct us_stop_frames *frames = userdata;

	frames->is_reading = false;
	if (frames->is_stopped) {
		read_queues(frames, on_last);
		return;
	}
	for (size_t i = 0; i < frames->queue_count; i++) {
		frames->queues[i].last = last[i];
		if (last[i].has_start)
			sample(&frames->queues[i]);
	}
}

static void read_queues(struct us_stop_frames *frames, us_receive_queues_fn done)
{
	int r = us_receive_queues_read(frames->reader, frames->where, frames->queue_count, done,
				       frames);

	frames->is_reading = r == 0;
	for (size_t i = 0; r < 0 && i < frames->queue_count; i++)
		frames->queues[i].last = (struct us_last_frame){ 0 };
	if (r < 0)
		tell_known(frames);
}

static void locate_next(struct us_stop_frames *frames);

/* The request carries the pair, because the frames may be freed before the answer. */
static void on_located(void *userdata, const struct us_vmm_queue *queue)
{
	struct us_host_pair *pair = userdata;
	struct us_stop_frames *frames = us_migration_of_pair(pair)->frames;

	us_host_pair_end_request(pair);
	if (!frames || frames->locating >= frames->queue_count)
		return;
	frames->where[frames->locating++] =
		queue ? (struct us_receive_queue){ .used = queue->used,
						   .descriptors = queue->descriptors,
						   .displacement = queue->displacement,
						   .size = queue->size }
		      : (struct us_receive_queue){ 0 };
	locate_next(frames);
}

static void locate_next(struct us_stop_frames *frames)
{
	struct us_host_pair *pair = frames->pair;
	int r;

	if (frames->locating == frames->queue_count) {
		if (!frames->is_stopped && !frames->is_reading)
			read_queues(frames, on_sample);
		return;
	}
	r = us_vmm_locate_queue(us_host_vm_vmm(us_host_vm_of(pair)),
				us_host_pair_spec(pair)->standby, frames->locating, on_located,
				pair);
	if (r == 0)
		us_host_pair_begin_request(pair);
	else
		frames->locating = frames->queue_count;
}

static void on_sampling(void *userdata)
{
	struct us_stop_frames *frames = userdata;
	bool is_first = frames->samples++ < FIRST_SAMPLES;

	us_timer_set(&frames->sampling,
		     us_now_usec() + (is_first ? FIRST_SAMPLES_USEC : SAMPLE_USEC));
	if (frames->locating < frames->queue_count)
		return;
	frames->locating = 0;
	locate_next(frames);
}

void us_stop_frames_await_last(struct us_stop_frames *frames, void (*done)(void *pair))
{
	frames->on_known = done;
	if (!frames->is_reading)
		tell_known(frames);
}

/* ---- Life ---- */

static int init(struct us_stop_frames *frames, struct us_reason *reason)
{
	const struct us_pair_spec *spec = us_host_pair_spec(frames->pair);
	sd_event *loop = us_host_vm_loop(us_host_vm_of(frames->pair));
	const struct us_drain_process process = us_host_vm_process(us_host_vm_of(frames->pair));
	int r = us_timer_init(&frames->sampling, loop, on_sampling, frames);

	if (r == 0)
		r = us_receive_queues_new(&frames->reader, loop, &process, reason);
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
	frames->queue_count = frames->locating = count;
	r = init(frames, reason);
	if (r != 0) {
		us_stop_frames_free(frames);
		return r;
	}
	*ret_frames = frames;
	on_sampling(frames);
	return 0;
}

void us_stop_frames_free(struct us_stop_frames *frames)
{
	if (!frames)
		return;
	for (size_t i = 0; i < frames->queue_count; i++)
		us_capture_free(frames->queues[i].capture);
	us_receive_queues_free(frames->reader);
	us_timer_deinit(&frames->sampling);
	free(frames);
}

void us_stop_frames_note_stop(struct us_stop_frames *frames)
{
	frames->read_at_stop = read_count(frames->pair);
	frames->is_stopped = true;
	us_timer_stop(&frames->sampling);
	if (!frames->is_reading)
		read_queues(frames, on_last);
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

	if (!last->has_index)
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
