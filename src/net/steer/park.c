/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parking lot. Theory of operation:
 *
 *   holding    frames come out of the tap into the list, up to the bounds
 *   releasing  the same, and every millisecond some are sent from the list's head to the target;
 *              the list and the tap empty: `emptied`, upon which the switch is steered away
 *   finished   what still was on its way to the tap is sent on as it comes; then `idle`
 *
 * Two lists make the queue: frames from before (another host's, of the same flows), then our own.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "net/frame/async-close.h"
#include "net/frame/frame.h"
#include "net/frame/packet.h"
#include "net/steer/park.h"
#include "net/steer/park-tap.h"
#include "util/clock.h"
#include "util/list.h"
#include "util/priority.h"

enum {
	RELEASE_DEFAULT_USEC = 8 * 1000 * 1000,
	QUEUE_MAX = 10000,	 /* frames in the tap, until we read them */
	FRAME_MAX = 65536 + 64,	 /* a whole segmentation offload, and its headers */
	READ_MAX = 256,		 /* frames in a row, then others have their turn */
	LATE_MAX = 2048,	 /* the same, sent at once because the release is late */
	TAKE_BYTES = 512 * 1024, /* taken in a row */
	TICK_USEC = 1000,
	FINISH_USEC = 1000 * 1000,

	/* The pace, in frames as the guest gets them, of a segmentation offload each of its
	 * segments. A default socket of a Linux guest holds about 270. */
	RATE_MIN = 1500,       /* per second: what was held is gone in about one */
	BURST_MIN = 50,	       /* what a tick that came late makes up for, or … */
	LATE_USEC = 10 * 1000, /* … what was due in so long, if that is more */
	QUEUED_MAX =
		100, /* unread in the target tap: a guest that stood still gets these at once */
	RATE_WINDOW_USEC = 50000, /* over which the rate of arrivals is measured */
};

struct held {
	struct us_list link;
	size_t length;
	unsigned int weight; /* what it is for the guest, in frames */
	uint8_t bytes[];     /* struct virtio_net_hdr, and the frame */
};

enum state {
	HOLDING,
	RELEASING,
	FINISHED,
};

struct us_park {
	struct us_park_config config;
	const struct us_park_handler *handler;
	void *userdata;
	enum state state;
	struct us_link link;
	int tap;
	sd_event_source *arrival, *timer;
	struct us_list earlier, own; /* struct held */
	uint64_t bytes, weight;	     /* in them */
	struct us_park_counts counts;
	us_park_frame_fn listener;
	void *listener_userdata;

	struct us_link target;
	int port;		/* packet socket at the target, -1: none */
	uint64_t since_usec;	/* then the lot was last empty */
	uint64_t deadline_usec; /* of the release */
	uint64_t paced_usec;	/* tokens were last given out */
	double tokens;		/* frames that may be sent now */
	uint64_t sent, read;	/* to the target's queue; by the VM, in all */
	uint64_t dropped;	/* by the target's queue, before us */
	uint64_t window_usec;	/* begin of the window over which … */
	uint64_t arrivals;	/* … these came, by weight, and … */
	double rate, rate_max;	/* … per second, in the one before, and in the fullest */
};

/* Of whichever lot is reading: its own would be most of what a lot takes. */
static uint8_t scratch[sizeof(struct virtio_net_hdr) + FRAME_MAX];

/* ---- The queue ---- */

static struct us_list *oldest_list(struct us_park *park)
{
	return us_list_is_empty(&park->earlier) ? &park->own : &park->earlier;
}

static struct held *oldest(struct us_park *park)
{
	struct us_list *list = oldest_list(park);

	return us_list_is_empty(list) ? NULL : us_list_entry(list->next, struct held, link);
}

static void use_memory(struct us_park *park, int64_t bytes)
{
	struct us_park_budget *budget = park->config.limits.budget;

	park->bytes += bytes;
	if (!budget)
		return;
	budget->used += bytes;
	if (budget->used_max < budget->used)
		budget->used_max = budget->used;
}

static bool may_use_memory(struct us_park *park, uint64_t bytes)
{
	struct us_park_budget *budget = park->config.limits.budget;

	if (park->bytes + bytes > park->config.limits.bytes)
		return false;
	if (!budget || budget->used + bytes <= budget->limit)
		return true;
	budget->overflowed++;
	return false;
}

static void drop(struct us_park *park, struct held *held)
{
	us_list_remove(&held->link);
	use_memory(park, -(int64_t)(sizeof(*held) + held->length));
	park->weight -= held->weight;
	park->counts.frames--;
	free(held);
}

/* A segmentation offload is many for the guest. */
static unsigned int weigh(const struct virtio_net_hdr *header, size_t length)
{
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE || header->gso_size == 0)
		return 1;
	return 1 + length / header->gso_size;
}

/* Room for a frame of @length, header and all, at the end of a list; NULL: counted as lost. */
static struct held *append(struct us_park *park, struct us_list *list, unsigned int weight,
			   size_t length)
{
	struct held *held = NULL;
	uint64_t size = sizeof(*held) + length;

	if (park->counts.frames < park->config.limits.frames && may_use_memory(park, size))
		held = malloc(size);
	if (!held) {
		park->counts.overflowed++;
		return NULL;
	}
	held->length = length;
	held->weight = weight;
	if (park->counts.frames == 0)
		park->since_usec = us_now_usec();
	us_list_append(list, &held->link);
	use_memory(park, size);
	park->weight += weight;
	park->counts.held++;
	park->counts.held_bytes += length;
	if (++park->counts.frames > park->counts.frames_max)
		park->counts.frames_max = park->counts.frames;
	return held;
}

static void call(us_park_frame_fn each, void *userdata, const uint8_t *bytes, size_t length)
{
	struct us_frame frame;

	memcpy(&frame.header, bytes, sizeof(frame.header));
	frame.bytes = bytes + sizeof(frame.header);
	frame.length = length - sizeof(frame.header);
	each(userdata, &frame);
}

/* ---- Sending ---- */

/* 0: it is on its way, or never can be (counted); -EAGAIN: not now; -ENODEV: the port is gone. */
static int send_frame(struct us_park *park, const uint8_t *bytes, size_t length)
{
	if (send(park->port, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		park->counts.released++;
		park->sent++;
		return 0;
	}
	if (errno == ENXIO || errno == ENODEV)
		return -ENODEV;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENETDOWN || errno == EINTR)
		return -EAGAIN;
	park->counts.undelivered++;
	return 0;
}

/* Sends what is held, at the head first, as long as there are tokens; or so many, if that is > 0.
 */
static int send_held(struct us_park *park, unsigned int at_once)
{
	struct held *held;

	for (unsigned int i = 0;
	     (held = oldest(park)) && (at_once ? i < at_once : park->tokens > 0); i++) {
		int r = send_frame(park, held->bytes, held->length);

		if (r == -EAGAIN && at_once > 0)
			park->counts.undelivered++;
		else if (r < 0)
			return r;
		park->tokens -= held->weight;
		drop(park, held);
	}
	return 0;
}

/* ---- What comes ---- */

/* One frame, its header before it, of @length bytes in the scratch. */
static void take_in(struct us_park *park, size_t length)
{
	const uint8_t *frame = scratch + sizeof(struct virtio_net_hdr);
	size_t frame_length = length - sizeof(struct virtio_net_hdr);
	struct virtio_net_hdr header;
	unsigned int weight;
	struct held *held;

	/* A card that knows two ways to the guest brings our own probes back on the other one. */
	if (length < sizeof(struct virtio_net_hdr) ||
	    !us_frame_is_to(frame, frame_length, park->config.mac) ||
	    us_frame_is_arp_probe(frame, frame_length))
		return;
	memcpy(&header, scratch, sizeof(header));
	weight = weigh(&header, length);
	park->arrivals += weight;
	if (park->state == FINISHED) {
		park->counts.held++;
		park->counts.held_bytes += length;
		if (send_frame(park, scratch, length) < 0)
			park->counts.undelivered++;
		return;
	}
	held = append(park, &park->own, weight, length);
	if (!held)
		return;
	memcpy(held->bytes, scratch, length);
	if (park->listener)
		call(park->listener, park->listener_userdata, held->bytes, length);
}

/* Reads up to so many frames; whether the tap was left empty. */
static bool read_tap(struct us_park *park, unsigned int max)
{
	for (unsigned int i = 0; i < max; i++) {
		ssize_t length = read(park->tap, scratch, sizeof(scratch));

		if (length < 0)
			return true;
		take_in(park, length);
	}
	return false;
}

static int on_arrival(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	if (events & (EPOLLERR | EPOLLHUP)) /* someone removed it */
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	read_tap(userdata, READ_MAX);
	return 0;
}

/* ---- The release ---- */

static void measure_rate(struct us_park *park, uint64_t now_usec)
{
	uint64_t elapsed_usec = now_usec - park->window_usec;

	if (elapsed_usec < RATE_WINDOW_USEC)
		return;
	park->rate = park->arrivals * 1e6 / elapsed_usec;
	if (park->rate_max < park->rate)
		park->rate_max = park->rate;
	park->arrivals = 0;
	park->window_usec = now_usec;
}

/* How many more may wait for the VM to read them. Only a tap can tell. */
static unsigned int room(struct us_park *park)
{
	struct us_link_traffic traffic = { 0 };
	uint64_t read;

	if (!park->target.is_tun || us_link_get_traffic(park->target.index, &traffic) < 0)
		return QUEUED_MAX;
	read = traffic.sent - park->read;
	if (read > park->sent) /* others send there as well */
		park->sent = read;
	return park->sent - read < QUEUED_MAX ? QUEUED_MAX - (park->sent - read) : 0;
}

/*
 * So fast that what is held would go in a second, but no faster than twice what came at any time:
 * that the guest has shown to take.
 */
static void give_tokens(struct us_park *park, uint64_t now_usec)
{
	/* Well over what comes, or a steady stream would never leave the lot empty. */
	double rate = 1.5 * park->rate + park->weight;
	double burst, fits = room(park);

	if (park->counts.frames > 0)
		fits *= (double)park->weight / park->counts.frames;
	if (rate > 2 * park->rate_max)
		rate = 2 * park->rate_max;
	if (rate < RATE_MIN)
		rate = RATE_MIN;
	burst = rate * LATE_USEC / 1e6;
	if (burst < BURST_MIN)
		burst = BURST_MIN;
	if (burst > fits)
		burst = fits;
	park->tokens += rate * (now_usec - park->paced_usec) / 1e6;
	/* The rest may go at once: senders that wait for answers (TCP) would always leave some. */
	if (park->tokens > burst || park->weight <= burst)
		park->tokens = burst;
	park->paced_usec = now_usec;
}

static void end_release(struct us_park *park)
{
	park->state = HOLDING;
	park->timer = sd_event_source_disable_unref(park->timer);
}

static void step(struct us_park *park)
{
	uint64_t now_usec = us_now_usec();
	bool is_late = now_usec >= park->deadline_usec, is_empty;
	int r;

	is_empty = read_tap(park, READ_MAX);
	measure_rate(park, now_usec);
	give_tokens(park, now_usec);
	r = send_held(park, is_late ? LATE_MAX : 0);
	if (r == -ENODEV) {
		end_release(park);
		park->handler->failed(park->userdata);
	} else if ((is_empty || is_late) && !oldest(park)) {
		end_release(park);
		park->handler->emptied(park->userdata);
	}
}

static int on_tick(sd_event_source *source, uint64_t due_usec, void *userdata)
{
	sd_event_source_set_time(source, us_now_usec() + TICK_USEC);
	step(userdata);
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

static int set_target(struct us_park *park, const struct us_link *target, struct us_reason *reason)
{
	struct us_link_traffic traffic;
	const struct us_packet_config config = { .kind = US_PACKET_SEND, .port = target->index };
	int port = -1, r = us_packet_open(&config, &port);

	if (r < 0)
		return us_refuse(reason, "interface %s: frames cannot be sent there: %s",
				 target->name, us_strerror(r));
	us_close_async(park->port);
	park->port = port;
	park->target = *target;
	park->sent = park->read = park->dropped = 0;
	if (us_link_get_traffic(target->index, &traffic) == 0) {
		park->read = traffic.sent;
		park->dropped = traffic.dropped;
	}
	return 0;
}

int us_park_release(struct us_park *park, const struct us_link *target, struct us_reason *reason)
{
	uint64_t now_usec = us_now_usec();
	bool is_empty;
	int r = set_target(park, target, reason);

	if (r != 0)
		return r;
	if (park->state != RELEASING) {
		is_empty = read_tap(park, READ_MAX);
		if (is_empty && !oldest(park))
			return 0;
		measure_rate(park, now_usec);
		park->deadline_usec =
			now_usec + park->config.limits.release_usec + now_usec - park->since_usec;
		park->paced_usec = now_usec;
		park->tokens = 0;
		park->state = RELEASING;
		r = arm(park, 0, on_tick);
	}
	return r < 0 ? r : US_PARK_RELEASING;
}

void us_park_forward(struct us_park *park)
{
	if (park->port < 0)
		return;
	read_tap(park, QUEUE_MAX);
	send_held(park, UINT_MAX);
}

void us_park_flush(struct us_park *park, const struct us_link *target)
{
	struct us_list *const lists[] = { &park->earlier, &park->own };
	struct held *held;

	us_park_start_buffering(park);
	read_tap(park, QUEUE_MAX);
	if (set_target(park, target, NULL) != 0)
		return;
	for (size_t i = 0; i < US_ARRAY_LENGTH(lists); i++)
		us_list_for_each (held, lists[i], link)
			send_frame(park, held->bytes, held->length);
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
	park->port = us_close_async(park->port);
	park->rate = park->rate_max = 0;
	park->arrivals = 0;
	park->window_usec = us_now_usec();
}

/* ---- Life ---- */

static void set_defaults(struct us_park_limits *limits)
{
	if (!limits->frames)
		limits->frames = US_PARK_FRAMES;
	if (!limits->bytes)
		limits->bytes = US_PARK_BYTES;
	if (!limits->release_usec)
		limits->release_usec = RELEASE_DEFAULT_USEC;
}

static int check_bridge(const struct us_link *standby, struct us_reason *reason)
{
	bool filters_vlans = false;
	int r = us_link_filters_vlans(standby->master, &filters_vlans);

	if (r == 0 && filters_vlans)
		return us_refuse(reason,
				 "interface %s: its bridge filters VLANs: frames are not parked",
				 standby->name);
	return r;
}

int us_park_new(struct us_park **ret_park, const struct us_park_config *config,
		const struct us_link *standby, const struct us_park_handler *handler,
		void *userdata, struct us_reason *reason)
{
	US_CLEANUP(us_park_freep) struct us_park *park = NULL;
	uint32_t queue_frames;
	int r = check_bridge(standby, reason);

	if (r != 0)
		return r;
	park = calloc(1, sizeof(*park));
	if (!park)
		return -ENOMEM;
	park->config = *config;
	park->handler = handler;
	park->userdata = userdata;
	park->tap = park->port = -1;
	us_list_init(&park->earlier);
	us_list_init(&park->own);
	set_defaults(&park->config.limits);
	queue_frames = park->config.limits.frames;

	if (queue_frames > QUEUE_MAX)
		queue_frames = QUEUE_MAX;
	r = us_park_tap_new(standby, queue_frames, &park->tap, &park->link, reason);
	if (r == 0)
		r = sd_event_add_io(config->loop, &park->arrival, park->tap, EPOLLIN, on_arrival,
				    park);
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
	struct held *held;

	if (!park)
		return;
	while ((held = oldest(park)))
		drop(park, held);
	sd_event_source_disable_unref(park->timer);
	sd_event_source_disable_unref(park->arrival);
	us_close_async(park->port);
	us_close_async(park->tap);
	free(park);
}

const struct us_link *us_park_tap(const struct us_park *park)
{
	return &park->link;
}

/* ---- Frames in and out ---- */

bool us_park_take(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	uint64_t bytes = 0;
	struct held *held;
	bool is_empty;

	us_park_start_buffering(park);
	is_empty = read_tap(park, READ_MAX);
	while ((held = oldest(park)) && bytes < TAKE_BYTES) {
		bytes += sizeof(*held) + held->length;
		call(each, userdata, held->bytes, held->length);
		park->counts.released++;
		drop(park, held);
	}
	return is_empty && !held;
}

bool us_park_put(struct us_park *park, const struct us_frame *frame, bool is_earlier)
{
	struct us_list *list = is_earlier ? &park->earlier : &park->own;
	size_t length = sizeof(frame->header) + frame->length;
	struct held *held = append(park, list, weigh(&frame->header, length), length);

	if (!held)
		return false;
	memcpy(held->bytes, &frame->header, sizeof(frame->header));
	memcpy(held->bytes + sizeof(frame->header), frame->bytes, frame->length);
	return true;
}

void us_park_set_observer(struct us_park *park, us_park_frame_fn each, void *userdata)
{
	struct us_list *const lists[] = { &park->earlier, &park->own };
	struct held *held;

	park->listener = each;
	park->listener_userdata = userdata;
	for (size_t i = 0; each && i < US_ARRAY_LENGTH(lists); i++)
		us_list_for_each (held, lists[i], link)
			call(each, userdata, held->bytes, held->length);
}

void us_park_counts(const struct us_park *park, struct us_park_counts *ret_counts)
{
	struct us_link_traffic traffic;

	*ret_counts = park->counts;
	/* The tap's own queue, if we read too slowly. */
	if (us_link_get_traffic(park->link.index, &traffic) == 0)
		ret_counts->overflowed += traffic.dropped;
	/* What a tap that is full drops behind its queueing discipline, no sender is told. */
	if (park->port >= 0 && us_link_get_traffic(park->target.index, &traffic) == 0 &&
	    traffic.dropped - park->dropped <= ret_counts->released) {
		ret_counts->undelivered += traffic.dropped - park->dropped;
		ret_counts->released -= traffic.dropped - park->dropped;
	}
}
