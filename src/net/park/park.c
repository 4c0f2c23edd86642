/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking. Theory of operation:
 *
 *   BUFFERING  frames go from the tap into the buffer, up to its bounds
 *   RELEASING  the same, and each millisecond some frames go from the buffer to the target; when
 *              the buffer and the tap are empty: `emptied`, and the caller directs the switch away
 *   FINISHED   late frames on their way to the tap are sent on at once; then `idle`
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "net/frame/packet.h"
#include "net/park/pace.h"
#include "net/park/park-port.h"
#include "net/park/park.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	QUEUE_MAX = 10000,	 /* frames in the tap, until we read them */
	FRAME_MAX = 65536 + 64,	 /* a whole segmentation offload, and its headers */
	READ_MAX = 256,		 /* frames in a row, then others have their turn */
	LATE_MAX = 2048,	 /* the same, sent at once because the release is late */
	TAKE_BYTES = 512 * 1024, /* taken in a row */
	TICK_USEC = 1000,
	FINISH_USEC = 1000 * 1000,
};

enum state {
	BUFFERING,
	RELEASING,
	FINISHED,
};

struct us_park {
	struct us_park_config config; /* owns the tap's descriptor */
	const struct us_park_handler *handler;
	void *userdata;
	enum state state;
	sd_event_source *arrival, *timer;
	struct us_park_buffer buffer;
	us_park_frame_fn observer;
	void *observer_userdata;

	struct us_park_port target;
	struct us_pace pace;
	uint64_t deadline_usec; /* of the release */
	uint64_t taken;		/* frames out of the buffer, by us_park_take() */
};

/* Shared by all parks, because a buffer of its own would be most of what a park takes. */
static uint8_t scratch[sizeof(struct virtio_net_hdr) + FRAME_MAX];

static void call(us_park_frame_fn each, void *userdata, const struct us_parked_frame *parked)
{
	struct us_frame frame;

	memcpy(&frame.header, parked->bytes, sizeof(frame.header));
	frame.bytes = parked->bytes + sizeof(frame.header);
	frame.length = parked->length - sizeof(frame.header);
	each(userdata, &frame);
}

/* ---- Sending ---- */

/* Sends the oldest frames as long as there are tokens; with @at_once > 0, so many without. */
static int send_parked(struct us_park *park, unsigned int at_once)
{
	struct us_parked_frame *frame;

	for (unsigned int i = 0; (frame = us_park_buffer_next(&park->buffer, NULL)) &&
				 (at_once ? i < at_once : park->pace.tokens > 0);
	     i++) {
		int r = us_park_port_send(&park->target, frame->bytes, frame->length);

		if (r == -EAGAIN && at_once > 0)
			park->target.refused++;
		else if (r < 0)
			return r;
		park->pace.tokens -= frame->weight;
		us_park_buffer_drop(&park->buffer, frame);
	}
	return 0;
}

/* ---- Arrivals ---- */

/* Passes one frame on, without the buffer. */
static void pass(struct us_park *park, size_t length)
{
	park->buffer.total++;
	park->buffer.total_bytes += length;
	if (us_park_port_send(&park->target, scratch, length) < 0)
		park->target.refused++;
}

/* One frame of @length bytes in the scratch, its header first. */
static void take_in(struct us_park *park, size_t length)
{
	const uint8_t *bytes = scratch + sizeof(struct virtio_net_hdr);
	size_t frame_length = length - sizeof(struct virtio_net_hdr);
	struct virtio_net_hdr header;
	struct us_parked_frame *frame;
	unsigned int weight;

	/* A card with two ways to the guest brings our own probes back on the other one. */
	if (length < sizeof(header) || !us_frame_is_to(bytes, frame_length, park->config.mac) ||
	    us_frame_is_arp_probe(bytes, frame_length))
		return;
	memcpy(&header, scratch, sizeof(header));
	weight = us_park_weight(&header, length);
	park->pace.arrivals += weight;
	if (park->state == FINISHED) {
		pass(park, length);
		return;
	}
	frame = us_park_buffer_append(&park->buffer, false, weight, length);
	if (!frame)
		return;
	memcpy(frame->bytes, scratch, length);
	if (park->observer)
		call(park->observer, park->observer_userdata, frame);
}

/* Reads up to so many frames; whether the tap was left empty. */
static bool read_tap(struct us_park *park, unsigned int max)
{
	for (unsigned int i = 0; i < max; i++) {
		ssize_t length = read(park->config.tap_fd, scratch, sizeof(scratch));

		if (length < 0)
			return true;
		take_in(park, length);
	}
	return false;
}

static int on_arrival(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	if (events & (EPOLLERR | EPOLLHUP)) /* someone removed the tap */
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	read_tap(userdata, READ_MAX);
	return 0;
}

/* ---- The release ---- */

static void end_release(struct us_park *park)
{
	park->state = BUFFERING;
	park->timer = sd_event_source_disable_unref(park->timer);
}

static int on_tick(sd_event_source *source, uint64_t due_usec, void *userdata)
{
	struct us_park *park = userdata;
	const struct us_park_buffer *buffer = &park->buffer;
	uint64_t now_usec = us_now_usec();
	bool is_late = now_usec >= park->deadline_usec;
	bool is_tap_empty = read_tap(park, READ_MAX);
	double room = us_park_port_room(&park->target);
	int r;

	sd_event_source_set_time(source, now_usec + TICK_USEC);
	if (buffer->frames > 0)
		room *= (double)buffer->weight / buffer->frames;
	us_pace_measure(&park->pace, now_usec);
	us_pace_advance(&park->pace, now_usec, buffer->weight, room);
	r = send_parked(park, is_late ? LATE_MAX : 0);
	if (r == -ENODEV) {
		end_release(park);
		park->handler->failed(park->userdata);
	} else if ((is_tap_empty || is_late) && buffer->frames == 0) {
		end_release(park);
		park->handler->emptied(park->userdata);
	}
	return 0;
}

static int on_finished(sd_event_source *source, uint64_t due_usec, void *userdata)
{
	struct us_park *park = userdata;

	us_park_forward(park);
	park->handler->idle(park->userdata);
	return 0;
}

static int arm(struct us_park *park, uint64_t after_usec, sd_event_time_handler_t callback)
{
	int r;

	park->timer = sd_event_source_disable_unref(park->timer);
	r = sd_event_add_time(park->config.loop, &park->timer, CLOCK_MONOTONIC,
			      us_now_usec() + after_usec, 1, callback, park);
	return r < 0 ? r : sd_event_source_set_enabled(park->timer, SD_EVENT_ON);
}

int us_park_release(struct us_park *park, const struct us_link *target, struct us_reason *reason)
{
	uint64_t now_usec = us_now_usec();
	int r = us_park_port_open(&park->target, target, reason);

	if (r != 0)
		return r;
	if (park->state == RELEASING)
		return US_PARK_RELEASING;
	if (read_tap(park, READ_MAX) && park->buffer.frames == 0)
		return 0;
	us_pace_measure(&park->pace, now_usec);
	us_pace_start(&park->pace, now_usec);
	park->deadline_usec =
		now_usec + park->buffer.limits.release_usec + now_usec - park->buffer.since_usec;
	park->state = RELEASING;
	r = arm(park, 0, on_tick);
	return r < 0 ? r : US_PARK_RELEASING;
}

void us_park_forward(struct us_park *park)
{
	if (park->target.fd < 0)
		return;
	read_tap(park, QUEUE_MAX);
	send_parked(park, UINT_MAX);
}

void us_park_flush(struct us_park *park, const struct us_link *target)
{
	struct us_parked_frame *frame = NULL;

	us_park_start_buffering(park);
	read_tap(park, QUEUE_MAX);
	if (us_park_port_open(&park->target, target, NULL) != 0)
		return;
	while ((frame = us_park_buffer_next(&park->buffer, frame)))
		us_park_port_send(&park->target, frame->bytes, frame->length);
}

void us_park_finish(struct us_park *park)
{
	us_park_forward(park);
	park->state = FINISHED;
	arm(park, FINISH_USEC, on_finished);
}

bool us_park_is_finished(const struct us_park *park)
{
	return park->state == FINISHED;
}

void us_park_start_buffering(struct us_park *park)
{
	end_release(park);
	us_park_port_close(&park->target);
	us_pace_reset(&park->pace, us_now_usec());
}

/* ---- Life ---- */

uint32_t us_park_queue_frames(const struct us_park_limits *limits)
{
	uint32_t frames = limits->frames ? limits->frames : US_PARK_FRAMES;

	return frames < QUEUE_MAX ? frames : QUEUE_MAX;
}

int us_park_new(struct us_park **ret_park, const struct us_park_config *config,
		const struct us_park_handler *handler, void *userdata)
{
	US_CLEANUP(us_park_freep) struct us_park *park = calloc(1, sizeof(*park));
	int r;

	if (!park) {
		us_close_async(config->tap_fd);
		return -ENOMEM;
	}
	park->config = *config;
	park->handler = handler;
	park->userdata = userdata;
	park->target.fd = -1;
	us_park_buffer_init(&park->buffer, &config->limits);

	r = sd_event_add_io(park->config.loop, &park->arrival, park->config.tap_fd, EPOLLIN,
			    on_arrival, park);
	/* Others send them, without limit; meanwhile they can wait in the tap's queue. */
	if (r >= 0)
		r = sd_event_source_set_priority(park->arrival, US_PRIORITY_CHANGING);
	if (r < 0)
		return r;
	us_park_start_buffering(park);
	*ret_park = US_STEAL(park);
	return 0;
}

void us_park_free(struct us_park *park)
{
	if (!park)
		return;
	us_park_buffer_deinit(&park->buffer);
	sd_event_source_disable_unref(park->timer);
	sd_event_source_disable_unref(park->arrival);
	us_park_port_close(&park->target);
	us_close_async(park->config.tap_fd);
	free(park);
}

const struct us_link *us_park_tap(const struct us_park *park)
{
	return &park->config.tap;
}

/* ---- Frames in and out ---- */

bool us_park_take(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	struct us_parked_frame *frame;
	uint64_t bytes = 0;
	bool is_tap_empty;

	us_park_start_buffering(park);
	is_tap_empty = read_tap(park, READ_MAX);
	while ((frame = us_park_buffer_next(&park->buffer, NULL)) && bytes < TAKE_BYTES) {
		bytes += sizeof(*frame) + frame->length;
		call(each, userdata, frame);
		park->taken++;
		us_park_buffer_drop(&park->buffer, frame);
	}
	return is_tap_empty && !frame;
}

bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier)
{
	size_t length = sizeof(frame->header) + frame->length;
	struct us_parked_frame *parked = us_park_buffer_append(
		&park->buffer, is_earlier, us_park_weight(&frame->header, length), length);

	if (!parked)
		return false;
	memcpy(parked->bytes, &frame->header, sizeof(frame->header));
	memcpy(parked->bytes + sizeof(frame->header), frame->bytes, frame->length);
	return true;
}

void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	struct us_parked_frame *frame = NULL;

	park->observer = each;
	park->observer_userdata = userdata;
	while (each && (frame = us_park_buffer_next(&park->buffer, frame)))
		call(each, userdata, frame);
}

void us_park_counts(const struct us_park *park, struct us_park_counts *ret_counts)
{
	const struct us_park_buffer *buffer = &park->buffer;
	uint64_t released = park->target.sent + park->taken;
	uint64_t dropped = us_park_port_dropped(&park->target);
	struct us_link_traffic traffic = { 0 };

	/* The tap drops if we read too slowly. */
	us_link_get_traffic(park->config.tap.index, &traffic);
	/* What a full tap drops behind its queueing discipline counted as sent. */
	if (dropped > released)
		dropped = 0;
	*ret_counts = (struct us_park_counts){
		.parked = buffer->total,
		.parked_bytes = buffer->total_bytes,
		.released = released - dropped,
		.overflowed = buffer->overflowed + traffic.dropped,
		.undelivered = park->target.refused + dropped,
		.frames = buffer->frames,
		.frames_max = buffer->frames_max,
	};
}
