/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames that a QEMU which stopped its guest has not given to it.
 *
 * What it took out in vain is between the last frame that the guest received, as its own memory
 * has it, and the first that is still in the tap. If the memory cannot tell (the guest may have
 * used it again), the index of its receive queue does, by what was sampled before the stop
 * (net/undelivered/ring-offset.h). If that cannot, the count of the tap does: it has no more than
 * the one read after the stop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migration/handoff.h"
#include "daemon/migration/stop-frames.h"
#include "net/undelivered/ring-offset.h"
#include "net/undelivered/drain.h"
#include "net/frame/frame.h"
#include "net/netlink/link.h"
#include "net/undelivered/capture.h"
#include "util/clock.h"

enum {
	QUEUES_MAX = 16,
	VAIN_MAX = 2, /* frames that were read in vain, for each queue: net/undelivered/capture.h */
	SAMPLE_USEC = 100 * 1000,
	SAMPLE_SOON_USEC = 20 * 1000, /* the first ones: a transfer may be short */
	SAMPLES_SOON = 25,
};

struct queue {
	struct us_capture *mirror;
	struct us_ring_offset delivered;
	bool has_received, is_taken;
	struct us_last_frame received;
};

/* What QEMU is asked for: what the guest received last, in each queue. */
enum asking {
	ASKING_NOTHING,
	ASKING_SAMPLE, /* from time to time while it runs */
	ASKING_LAST,   /* once it stands still */
};

struct us_stop_frames {
	struct us_host_pair *pair;
	uint64_t read_at_stop; /* frames that QEMU had read from the tap then */
	struct us_timer sampling;
	unsigned samples;
	enum asking asking;
	bool must_ask_last; /* once the sample under way is there */
	size_t asked;	    /* queues */

	/* While frames are taken */
	struct us_park *park;
	int draining; /* which queue of QEMU's; -1: none yet */
	size_t taken, taken_read;

	size_t queue_count;
	struct queue queues[];
};

/* Frames that QEMU has read from the standby's tap: the tap counts them as sent only then. */
static uint64_t read_count(const struct us_host_pair *pair)
{
	struct us_link_traffic traffic = { 0 };
	struct us_link link;

	if (us_link_get(pair->port, &link, NULL) == 0)
		us_link_get_traffic(link.index, &traffic);
	return traffic.sent;
}

/* ---- What the guest received last ---- */

static void ask_next(struct us_stop_frames *unread);

static void learn(struct queue *queue, const struct us_last_frame *received)
{
	uint64_t number =
		us_capture_number(queue->mirror, received->start, sizeof(received->start), NULL);

	if (number > 0)
		us_ring_offset_sample(&queue->delivered, number, received->index);
}

/* The pair outlives its requests; what it asked for may be over. */
static void on_received(void *userdata, const struct us_last_frame *received)
{
	struct us_host_pair *pair = userdata;
	struct us_stop_frames *unread = pair->unread;
	struct queue *queue;

	pair->requests--;
	if (!unread || unread->asking == ASKING_NOTHING)
		return;
	queue = &unread->queues[unread->asked++];
	queue->has_received = received != NULL;
	if (received)
		queue->received = *received;
	if (received && unread->asking == ASKING_SAMPLE)
		learn(queue, received);
	ask_next(unread);
}

static void begin_asking(struct us_stop_frames *unread, enum asking asking)
{
	unread->asking = asking;
	unread->asked = 0;
	for (size_t i = 0; i < unread->queue_count; i++)
		unread->queues[i].has_received = false;
	ask_next(unread);
}

static void end_asking(struct us_stop_frames *unread)
{
	enum asking asked = unread->asking;

	unread->asking = ASKING_NOTHING;
	if (asked == ASKING_LAST)
		us_stop_frames_queried(unread->pair->vm);
	else if (unread->must_ask_last)
		begin_asking(unread, ASKING_LAST);
}

static void ask_next(struct us_stop_frames *unread)
{
	struct us_host_pair *pair = unread->pair;
	int r = -ENOENT;

	if (unread->asked < unread->queue_count)
		r = us_vmm_query_last_frame(pair->vm->vmm, pair->standby, unread->asked,
					    on_received, pair);
	if (r == 0)
		pair->requests++;
	else
		end_asking(unread);
}

static void sample_later(struct us_stop_frames *unread)
{
	bool soon = unread->samples++ < SAMPLES_SOON;

	us_timer_set(&unread->sampling, us_now_usec() + (soon ? SAMPLE_SOON_USEC : SAMPLE_USEC));
}

static void on_sampling(void *userdata)
{
	struct us_stop_frames *unread = userdata;

	if (unread->asking == ASKING_NOTHING)
		begin_asking(unread, ASKING_SAMPLE);
	sample_later(unread);
}

void us_stop_frames_query(struct us_stop_frames *unread)
{
	us_timer_stop(&unread->sampling);
	if (unread->asking == ASKING_NOTHING)
		begin_asking(unread, ASKING_LAST);
	else
		unread->must_ask_last = true;
}

int us_stop_frames_new(struct us_stop_frames **ret_unread, struct us_host_pair *pair,
		       struct us_reason *reason)
{
	size_t count = pair->queue_pairs > 1 ? pair->queue_pairs : 1;
	struct us_stop_frames *unread;
	int r = 0;

	if (count > QUEUES_MAX)
		return us_refuse(reason, "%s has %zu queue pairs: more than %d are not watched",
				 pair->standby, count, QUEUES_MAX);
	unread = calloc(1, sizeof(*unread) + count * sizeof(*unread->queues));
	if (!unread)
		return -ENOMEM;
	unread->pair = pair;
	unread->queue_count = count;
	r = us_timer_init(&unread->sampling, pair->vm->daemon->loop, on_sampling, unread);
	for (size_t i = 0; i < count && r == 0; i++)
		r = us_capture_new(&unread->queues[i].mirror, pair->vm->daemon->loop, pair->port,
				   pair->mac, count > 1 ? (int)i : -1, reason);
	if (r != 0) {
		us_stop_frames_free(unread);
		return r;
	}
	sample_later(unread);
	*ret_unread = unread;
	return 0;
}

void us_stop_frames_free(struct us_stop_frames *unread)
{
	if (!unread)
		return;
	for (size_t i = 0; i < unread->queue_count; i++)
		us_capture_free(unread->queues[i].mirror);
	us_timer_deinit(&unread->sampling);
	free(unread);
}

void us_stop_frames_note_stop(struct us_stop_frames *unread)
{
	unread->read_at_stop = read_count(unread->pair);
	us_timer_stop(&unread->sampling);
}

/* ---- Taking them ---- */

static void put(struct us_stop_frames *unread, const struct us_frame *frame, bool was_read)
{
	/* What was flooded, to all or to a group, the destination has had itself. */
	if (!us_frame_is_to(frame->bytes, frame->length, unread->pair->mac) ||
	    !us_park_put(unread->park, frame, true))
		return;
	unread->taken++;
	unread->taken_read += was_read;
}

/* What the guest did not receive, before @next: how many, or -ENOENT. */
static int find_vain(const struct queue *queue, const struct us_frame *next,
		     const struct us_frame *ret_frames[VAIN_MAX])
{
	const struct us_last_frame *received = &queue->received;
	uint64_t number;
	int count;

	if (!queue->has_received)
		return -ENOENT;
	number = us_capture_number(queue->mirror, received->start, sizeof(received->start), next);
	count = us_capture_after(queue->mirror, number, next, ret_frames, VAIN_MAX);
	if (count >= 0)
		return count;
	number = us_ring_offset_number(&queue->delivered, received->index);
	if (!us_capture_took_one_buffer_each(queue->mirror, queue->delivered.number, number))
		return -ENOENT;
	return us_capture_after(queue->mirror, number, next, ret_frames, VAIN_MAX);
}

/* What QEMU read in vain, before @next; NULL: nothing is left in that queue of the tap. */
static void take_read(struct us_stop_frames *unread, struct queue *queue,
		      const struct us_frame *next)
{
	const struct us_frame *frames[VAIN_MAX];
	int count = find_vain(queue, next, frames);

	queue->is_taken = true;
	/* If frames are left in the tap, one that was read is why. If none are, its count tells. */
	if (count < 0 && (next || (unread->queue_count == 1 &&
				   read_count(unread->pair) > unread->read_at_stop))) {
		frames[0] = us_capture_before(queue->mirror, next);
		count = frames[0] != NULL;
	}
	for (int i = 0; i < count; i++)
		put(unread, frames[i], true);
}

static void put_drained(void *userdata, int number, const struct us_frame *frame)
{
	struct us_stop_frames *unread = userdata;

	for (size_t i = 0; unread->draining != number && i < unread->queue_count; i++) {
		struct queue *queue = &unread->queues[i];

		if (queue->is_taken || !us_capture_has(queue->mirror, frame))
			continue;
		unread->draining = number;
		take_read(unread, queue, frame);
	}
	unread->draining = number;
	put(unread, frame, false);
}

size_t us_stop_frames_take(struct us_stop_frames *unread, bool drains, size_t *ret_read,
			   struct us_reason *reason)
{
	struct us_host_pair *pair = unread->pair;

	unread->park = us_steer_park(pair->steer);
	unread->draining = -1;
	unread->taken = unread->taken_read = 0;
	if (drains && pair->drain)
		us_drain_each(pair->drain, put_drained, unread);
	else if (drains)
		us_refuse(reason, "the queues of %s were not found", pair->port);
	for (size_t i = 0; i < unread->queue_count; i++)
		if (!unread->queues[i].is_taken)
			take_read(unread, &unread->queues[i], NULL);
	*ret_read = unread->taken_read;
	return unread->taken;
}
