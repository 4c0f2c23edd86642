/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet socket at the port, and a ring of the frames that left there. Any doubt about their
 * order (a missed frame, no memory) empties the ring: a duplicate is as wrong as a loss.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/uio.h>

#include "net/netlink/link.h"
#include "net/undelivered/capture.h"
#include "net/frame/packet.h"
#include "util/priority.h"

enum {
	KEPT = 1024,		      /* frames: more than a tap's queue holds … */
	KEPT_BYTES = 4 * 1024 * 1024, /* … unless they are long */
	BUFFER_BYTES = 1518,	      /* least size of a guest's buffer */
	READS_PER_WAKEUP = 64,
	READS_MAX = 16384, /* in a row: more than wait in the kernel */
	FRAME_BYTES = 65536 + 64,
	RECEIVE_BYTES = 4 * 1024 * 1024,
};

struct us_capture {
	sd_event_source *io;
	int fd;
	uint8_t mac[6];
	size_t bytes;		    /* in the ring */
	struct us_frame kept[KEPT]; /* the ring; owns the frames' bytes */
	size_t first, count;
	bool is_odd[KEPT]; /* may have taken none, or several, of the guest's buffers */
	uint64_t newest;   /* number of the newest frame */
	uint64_t odd;	   /* number of the newest frame outside the ring that was odd or missed */
};

static struct us_frame *nth(struct us_capture *capture, size_t i)
{
	return &capture->kept[(capture->first + i) % KEPT];
}

static void forget_oldest(struct us_capture *capture)
{
	if (capture->is_odd[capture->first])
		capture->odd = capture->newest - capture->count + 1;
	capture->bytes -= nth(capture, 0)->length;
	free((void *)nth(capture, 0)->bytes);
	capture->first = (capture->first + 1) % KEPT;
	capture->count--;
}

/* After a gap before the newest frame, "the frame before" would be a wrong one. */
static void forget_all(struct us_capture *capture)
{
	while (capture->count > 0)
		forget_oldest(capture);
	capture->odd = capture->newest;
}

static bool is_odd(const struct us_capture *capture, const uint8_t *bytes, size_t length)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return length > BUFFER_BYTES || (!us_frame_is_to(bytes, length, capture->mac) &&
					 !us_frame_is_to(bytes, length, all));
}

static void keep(struct us_capture *capture, const struct virtio_net_hdr *header,
		 const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length);

	if (!copy) {
		capture->newest++;
		forget_all(capture);
		return;
	}
	memcpy(copy, bytes, length);
	while (capture->count > 0 &&
	       (capture->count == KEPT || capture->bytes + length > KEPT_BYTES))
		forget_oldest(capture);
	capture->newest++;
	capture->bytes += length;
	*nth(capture, capture->count) =
		(struct us_frame){ .header = *header, .bytes = copy, .length = length };
	capture->is_odd[(capture->first + capture->count++) % KEPT] =
		is_odd(capture, bytes, length);
}

/* Reads one frame; false when there is none. */
static bool read_one(struct us_capture *capture)
{
	static uint8_t bytes[FRAME_BYTES];
	struct virtio_net_hdr header;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = bytes, .iov_len = sizeof(bytes) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n = recvmsg(capture->fd, &message, MSG_DONTWAIT);

	if (n > (ssize_t)sizeof(header))
		keep(capture, &header, bytes, n - sizeof(header));
	return n >= 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_capture *capture = userdata;

	for (int i = 0; i < READS_PER_WAKEUP && read_one(capture); i++)
		;
	return 0;
}

static bool has_missed(const struct us_capture *capture)
{
	struct tpacket_stats stats = { 0 };
	socklen_t size = sizeof(stats);

	return getsockopt(capture->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0 ||
	       stats.tp_drops > 0;
}

/* A sender that is faster than we read must not keep us here: the last frame is unknown then. */
static void catch_up(struct us_capture *capture)
{
	size_t reads = 0;

	while (reads < READS_MAX && read_one(capture))
		reads++;
	if (has_missed(capture) || reads == READS_MAX)
		forget_all(capture);
}

/* The index of the last frame that equals @next; the count if there is none. */
static size_t find(struct us_capture *capture, const struct us_frame *next)
{
	for (size_t i = capture->count; i-- > 0;)
		if (nth(capture, i)->length == next->length &&
		    memcmp(nth(capture, i)->bytes, next->bytes, next->length) == 0)
			return i;
	return capture->count;
}

bool us_capture_has(struct us_capture *capture, const struct us_frame *frame)
{
	catch_up(capture);
	return find(capture, frame) < capture->count;
}

/* The index of the first frame that does not count any more. False: unknown. */
static bool find_end(struct us_capture *capture, const struct us_frame *next, size_t *ret_end)
{
	catch_up(capture);
	*ret_end = next ? find(capture, next) : capture->count;
	return !next || *ret_end < capture->count;
}

const struct us_frame *us_capture_before(struct us_capture *capture, const struct us_frame *next)
{
	size_t end;

	return find_end(capture, next, &end) && end > 0 ? nth(capture, end - 1) : NULL;
}

uint64_t us_capture_newest(struct us_capture *capture, const struct us_frame *next)
{
	size_t end;

	return find_end(capture, next, &end) ? capture->newest - (capture->count - end) : 0;
}

uint64_t us_capture_number(struct us_capture *capture, const uint8_t *start, size_t length,
			   const struct us_frame *next)
{
	size_t end;

	if (!find_end(capture, next, &end))
		return 0;
	while (end-- > 0) {
		const struct us_frame *frame = nth(capture, end);

		if (!memcmp(frame->bytes, start, frame->length < length ? frame->length : length))
			return capture->newest - capture->count + 1 + end;
	}
	return 0;
}

bool us_capture_took_one_buffer_each(struct us_capture *capture, uint64_t number, uint64_t last)
{
	uint64_t oldest = capture->newest - capture->count + 1;

	if (capture->odd > number || last > capture->newest)
		return false;
	for (uint64_t n = number < oldest ? oldest : number + 1; n <= last; n++)
		if (capture->is_odd[(capture->first + n - oldest) % KEPT])
			return false;
	return true;
}

int us_capture_after(struct us_capture *capture, uint64_t number, const struct us_frame *next,
		     const struct us_frame **ret_frames, size_t max)
{
	uint64_t newest = us_capture_newest(capture, next), oldest;
	size_t count = 0;

	oldest = capture->newest - capture->count + 1;
	if (number == 0 || newest < number || number + 1 < oldest)
		return -ENOENT;
	for (uint64_t n = number + 1; n <= newest; n++) {
		const struct us_frame *frame = nth(capture, n - oldest);

		if (!us_frame_is_to(frame->bytes, frame->length, capture->mac))
			continue;
		if (count == max)
			return -ENOENT;
		ret_frames[count++] = frame;
	}
	return count;
}

int us_capture_new(struct us_capture **ret_capture, sd_event *loop, const char *port,
		   const uint8_t mac[6], int queue, struct us_reason *reason)
{
	struct us_packet_config config = { .kind = US_PACKET_OUTGOING,
					   .queue = queue,
					   .receive_bytes = RECEIVE_BYTES };
	US_CLEANUP(us_capture_freep) struct us_capture *capture = NULL;
	struct us_link link;
	int r = us_link_get(port, &link, reason);

	if (r != 0)
		return r;
	capture = calloc(1, sizeof(*capture));
	if (!capture)
		return -ENOMEM;
	capture->fd = -1;
	memcpy(capture->mac, mac, sizeof(capture->mac));
	config.port = link.index;
	r = us_packet_open(&config, &capture->fd);
	if (r == 0)
		r = sd_event_add_io(loop, &capture->io, capture->fd, EPOLLIN, on_io, capture);
	/* Others send them, without limit; meanwhile they can wait in the socket. */
	if (r >= 0)
		r = sd_event_source_set_priority(capture->io, US_PRIORITY_CHANGING);
	if (r < 0)
		return us_refuse(reason, "interface %s: its frames cannot be captured: %s", port,
				 us_strerror(r));
	*ret_capture = US_STEAL(capture);
	return 0;
}

void us_capture_free(struct us_capture *capture)
{
	if (!capture)
		return;
	sd_event_source_disable_unref(capture->io);
	us_close_async(capture->fd);
	forget_all(capture);
	free(capture);
}
