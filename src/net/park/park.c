/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parking. Theory of operation:
 *
 *   BUFFERING  frames go from the tap into the buffer, up to its bounds
 *   RELEASING  each millisecond, or at once if there is more, frames go from the tap into the
 *              buffer, and those that the pace allows from the buffer to the target; when both are
 *              empty and few come: `emptied`, and the caller directs the switch away
 *   FINISHED   late frames on their way to the tap are sent on at once; then `idle`
 *
 * The loop handles other events after each turn of reading and sending (READ_FRAMES and so on).
 * Meanwhile frames wait in the kernel's queue of the tap, which is long enough for a tenth of a
 * second without a read.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "net/frame/packet.h"
#include "net/park/pace.h"
#include "net/park/park-port.h"
#include "net/park/park.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	QUEUE_MAX = 100 * 1000, /* frames in the tap: a bridge forwards a million per second */
	/* In a row, then others have their turn. */
	READ_FRAMES = 512,
	READ_BYTES = 512 * 1024,       /* fits the processor's cache */
	SEND_FRAMES = 2 * READ_FRAMES, /* more than come, so a buffer empties */
	SEND_BYTES = 2 * READ_BYTES,
	PASS_FEW = 32,	 /* frames: the release may end behind so few … */
	PASSES_MAX = 16, /* … or after so many times that nothing was left */
	FORWARD_USEC = 1000,
	FORWARD_FEW = 2,	 /* frames */
	TAKE_BYTES = 512 * 1024, /* by us_park_take() */
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
	unsigned int passes;	/* of the release, in a row, that left nothing */
	uint64_t taken;		/* frames out of the buffer, by us_park_take() */
};

static void call(us_park_frame_fn each, void *userdata, const struct us_parked_frame *parked)
{
	struct us_frame frame;

	memcpy(&frame.header, parked->bytes, sizeof(frame.header));
	frame.bytes = parked->bytes + sizeof(frame.header);
	frame.length = parked->length - sizeof(frame.header);
	each(userdata, &frame);
}

/* ---- Sending ---- */

/* Sends what the pace and the port allow, with @is_paced false all, and no more than one turn's. */
static int send_parked(struct us_park *park, bool is_paced)
{
	struct us_park_quota quota = { .frames = SEND_FRAMES,
				       .bytes = SEND_BYTES,
				       .weight = is_paced ? park->pace.tokens : HUGE_VAL,
				       .waits = is_paced };
	uint64_t weight = park->buffer.weight;
	int r = us_park_port_send_oldest(&park->target, &park->buffer, &quota);

	park->pace.tokens -= weight - park->buffer.weight;
	return r;
}

/* ---- Arrivals ---- */

/* @frame was read into the buffer's room. */
static void take_in(struct us_park *park, struct us_parked_frame *frame, size_t length)
{
	const uint8_t *bytes = frame->bytes + sizeof(struct virtio_net_hdr);
	size_t frame_length = length - sizeof(struct virtio_net_hdr);
	struct virtio_net_hdr header;

	/* A card with two ways to the guest brings our own probes back on the other one. */
	if (length < sizeof(header) || !us_frame_is_to(bytes, frame_length, park->config.mac) ||
	    us_frame_is_arp_probe(bytes, frame_length))
		return;
	memcpy(&header, frame->bytes, sizeof(header));
	frame->length = length;
	frame->weight = us_park_weight(&header, length);
	park->pace.arrivals += frame->weight;
	if (us_park_buffer_append(&park->buffer, false, frame) && park->observer)
		call(park->observer, park->observer_userdata, frame);
}

/* Reads one turn's frames; whether the tap was left empty. */
static bool read_tap(struct us_park *park)
{
	uint64_t bytes = 0;

	for (int i = 0; i < READ_FRAMES && bytes < READ_BYTES; i++) {
		struct us_parked_frame *frame = us_park_buffer_room(&park->buffer, false);
		uint8_t lost;
		ssize_t length = frame ? read(park->config.tap_fd, frame->bytes, US_PARK_FRAME_MAX)
				       : read(park->config.tap_fd, &lost, sizeof(lost));

		if (length < 0)
			return true;
		if (frame)
			take_in(park, frame, length);
		bytes += length;
	}
	return false;
}

static int on_arrival(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_park *park = userdata;

	if (events & (EPOLLERR | EPOLLHUP)) /* someone removed the tap */
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	read_tap(park);
	if (park->state == FINISHED)
		send_parked(park, false);
	return 0;
}

/* ---- The release ---- */

static void end_release(struct us_park *park)
{
	park->state = BUFFERING;
	sd_event_source_set_enabled(park->arrival, SD_EVENT_ON);
	park->timer = sd_event_source_disable_unref(park->timer);
}

/*
 * Whether this pass left nothing in the buffer and the tap, and few frames can have come since: new
 * frames will overtake those. A sender that waits for answers (TCP) always has some on the way.
 */
static bool is_emptied(struct us_park *park, bool is_tap_empty, uint64_t taken_in)
{
	if (park->buffer.frames > 0 || !is_tap_empty) {
		park->passes = 0;
		return false;
	}
	return taken_in <= PASS_FEW || ++park->passes >= PASSES_MAX;
}

static int on_tick(sd_event_source *source, uint64_t due_usec, void *userdata)
{
	struct us_park *park = userdata;
	uint64_t now_usec = us_now_usec(), before = park->buffer.total;
	bool is_late = now_usec >= park->deadline_usec;
	bool is_tap_empty = read_tap(park), is_done;
	int r;

	us_pace_measure(&park->pace, now_usec);
	us_pace_advance(&park->pace, now_usec, park->buffer.weight);
	r = send_parked(park, !is_late);
	is_done = is_emptied(park, is_tap_empty, park->buffer.total - before) ||
		  (is_late && park->buffer.frames == 0);
	/* At once, if there is more to do or little to wait for. */
	if (is_tap_empty && r == 0 && park->buffer.frames > 0)
		now_usec += TICK_USEC;
	sd_event_source_set_time(source, now_usec);
	if (r == -ENODEV) {
		end_release(park);
		park->handler->failed(park->userdata);
	} else if (is_done) {
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
	/* In turn with arrivals and clients: a busy release always has a tick that is due. */
	if (r >= 0)
		r = sd_event_source_set_priority(park->timer, US_PRIORITY_CHANGING);
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
	if (read_tap(park) && park->buffer.frames == 0)
		return 0;
	us_pace_measure(&park->pace, now_usec);
	us_pace_start(&park->pace, now_usec, park->buffer.since_usec, park->buffer.weight);
	park->deadline_usec =
		now_usec + park->buffer.limits.release_usec + now_usec - park->buffer.since_usec;
	park->passes = 0;
	park->state = RELEASING;
	sd_event_source_set_enabled(park->arrival, SD_EVENT_OFF); /* each tick reads the tap */
	r = arm(park, 0, on_tick);
	return r < 0 ? r : US_PARK_RELEASING;
}

/* Each pass takes what came during the one before: soon nearly nothing. */
void us_park_forward(struct us_park *park)
{
	uint64_t end_usec = us_now_usec() + FORWARD_USEC, before;

	if (park->target.fd < 0)
		return;
	do {
		before = park->buffer.total;
		read_tap(park);
		send_parked(park, false);
	} while (park->buffer.total > before + FORWARD_FEW && us_now_usec() < end_usec);
}

void us_park_flush(struct us_park *park, const struct us_link *target)
{
	us_park_start_buffering(park);
	while (!read_tap(park))
		;
	if (us_park_port_open(&park->target, target, NULL) == 0)
		us_park_port_send_copies(&park->target, &park->buffer);
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
	return limits->frames && limits->frames < QUEUE_MAX ? limits->frames : QUEUE_MAX;
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
	const struct us_parked_frame *frame;
	uint64_t bytes = 0;
	bool is_tap_empty;

	us_park_start_buffering(park);
	is_tap_empty = read_tap(park);
	while (park->buffer.frames > 0 && bytes < TAKE_BYTES) {
		frame = us_park_buffer_next(&park->buffer, &(struct us_park_cursor){ 0 });
		bytes += sizeof(*frame) + frame->length;
		call(each, userdata, frame);
		park->taken++;
		us_park_buffer_drop(&park->buffer);
	}
	return is_tap_empty && park->buffer.frames == 0;
}

bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier)
{
	struct us_parked_frame *parked = us_park_buffer_room(&park->buffer, is_earlier);

	if (!parked)
		return false;
	parked->length = sizeof(frame->header) + frame->length;
	if (parked->length > US_PARK_FRAME_MAX) { /* from a tap there is none */
		park->buffer.overflowed++;
		return false;
	}
	parked->weight = us_park_weight(&frame->header, parked->length);
	memcpy(parked->bytes, &frame->header, sizeof(frame->header));
	memcpy(parked->bytes + sizeof(frame->header), frame->bytes, frame->length);
	return us_park_buffer_append(&park->buffer, is_earlier, parked);
}

void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	struct us_park_cursor cursor = { 0 };
	const struct us_parked_frame *frame;

	park->observer = each;
	park->observer_userdata = userdata;
	while (each && (frame = us_park_buffer_next(&park->buffer, &cursor)))
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
