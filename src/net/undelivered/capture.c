/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet socket at the port, and a ring of the frames that went out there. Any doubt about what
 * came before what (a frame missed, no memory) empties the ring: a frame that is given twice is
 * as wrong as one that is lost.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "net/frame/async-close.h"
#include "net/frame/frame.h"
#include "net/netlink/link.h"
#include "net/undelivered/capture.h"
#include "net/frame/packet.h"
#include "util/priority.h"

enum {
	KEPT = 1024,		      /* as many as a tap's queue has, and one … */
	KEPT_BYTES = 4 * 1024 * 1024, /* … unless they are long */
	BUFFER_BYTES = 1518,	      /* what a guest's buffer holds at the least */
	READS_PER_WAKEUP = 64,
	READS_MAX = 16384, /* at once: more than wait in the kernel */
	FRAME_BYTES = 65536 + 64,
	RECEIVE_BYTES = 4 * 1024 * 1024,
};

struct us_capture {
	sd_event_source *io;
	int fd;
	uint8_t mac[6];
	size_t bytes;
	struct us_frame kept[KEPT]; /* a ring; their bytes are allocated */
	size_t first, count;
	bool is_odd[KEPT]; /* it may have taken no buffer of the guest, or several */
	uint64_t newest;   /* number of the newest frame */
	uint64_t odd;	   /* of the newest one that is not kept and odd, or missed */
};

static struct us_frame *nth(struct us_capture *mirror, size_t i)
{
	return &mirror->kept[(mirror->first + i) % KEPT];
}

static void forget_oldest(struct us_capture *mirror)
{
	if (mirror->is_odd[mirror->first])
		mirror->odd = mirror->newest - mirror->count + 1;
	mirror->bytes -= nth(mirror, 0)->length;
	free((void *)nth(mirror, 0)->bytes);
	mirror->first = (mirror->first + 1) % KEPT;
	mirror->count--;
}

static bool is_odd(const struct us_capture *mirror, const uint8_t *bytes, size_t length)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return length > BUFFER_BYTES ||
	       (!us_frame_is_to(bytes, length, mirror->mac) && !us_frame_is_to(bytes, length, all));
}

static void keep(struct us_capture *mirror, const struct virtio_net_hdr *header,
		 const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length);

	if (!copy) { /* a gap would make the wrong frame the one before */
		while (mirror->count > 0)
			forget_oldest(mirror);
		mirror->odd = ++mirror->newest;
		return;
	}
	memcpy(copy, bytes, length);
	while (mirror->count > 0 && (mirror->count == KEPT || mirror->bytes + length > KEPT_BYTES))
		forget_oldest(mirror);
	mirror->newest++;
	mirror->bytes += length;
	*nth(mirror, mirror->count) =
		(struct us_frame){ .header = *header, .bytes = copy, .length = length };
	mirror->is_odd[(mirror->first + mirror->count++) % KEPT] = is_odd(mirror, bytes, length);
}

/* Reads one frame; false when there is none. */
static bool read_one(struct us_capture *mirror)
{
	static uint8_t bytes[FRAME_BYTES];
	struct virtio_net_hdr header;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = bytes, .iov_len = sizeof(bytes) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n = recvmsg(mirror->fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return false;
	if (n <= (ssize_t)sizeof(header))
		return true;
	keep(mirror, &header, bytes, n - sizeof(header));
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_capture *mirror = userdata;

	for (int i = 0; i < READS_PER_WAKEUP && read_one(mirror); i++)
		;
	return 0;
}

static bool has_missed(const struct us_capture *mirror)
{
	struct tpacket_stats stats = { 0 };
	socklen_t size = sizeof(stats);

	return getsockopt(mirror->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0 ||
	       stats.tp_drops > 0;
}

/* What is kept has a gap somewhere before its newest. */
static void forget_all(struct us_capture *mirror)
{
	while (mirror->count > 0)
		forget_oldest(mirror);
	mirror->odd = mirror->newest;
}

static bool is_same(const struct us_frame *one, const struct us_frame *other)
{
	return one->length == other->length && memcmp(one->bytes, other->bytes, one->length) == 0;
}

/* Who sends faster than we read must not keep us here: then it is not known what was the last. */
static void catch_up(struct us_capture *mirror)
{
	size_t reads = 0;

	while (reads < READS_MAX && read_one(mirror))
		reads++;
	if (has_missed(mirror) || reads == READS_MAX)
		forget_all(mirror);
}

/* The index of the frame that went out last and is like @next, or of those kept. */
static size_t find(struct us_capture *mirror, const struct us_frame *next)
{
	for (size_t i = mirror->count; i-- > 0;)
		if (is_same(nth(mirror, i), next))
			return i;
	return mirror->count;
}

bool us_capture_has(struct us_capture *mirror, const struct us_frame *frame)
{
	catch_up(mirror);
	return find(mirror, frame) < mirror->count;
}

const struct us_frame *us_capture_before(struct us_capture *mirror, const struct us_frame *next)
{
	size_t end;

	catch_up(mirror);
	end = next ? find(mirror, next) : mirror->count;
	return end == 0 || (next && end == mirror->count) ? NULL : nth(mirror, end - 1);
}

/* The index of the first frame that does not count any more; false if it is not known. */
static bool find_end(struct us_capture *mirror, const struct us_frame *next, size_t *ret_end)
{
	catch_up(mirror);
	*ret_end = next ? find(mirror, next) : mirror->count;
	return !next || *ret_end < mirror->count;
}

uint64_t us_capture_newest(struct us_capture *mirror, const struct us_frame *next)
{
	size_t end;

	return find_end(mirror, next, &end) ? mirror->newest - (mirror->count - end) : 0;
}

uint64_t us_capture_number(struct us_capture *mirror, const uint8_t *start, size_t length,
			   const struct us_frame *next)
{
	size_t end;

	if (!find_end(mirror, next, &end))
		return 0;
	while (end-- > 0) {
		const struct us_frame *frame = nth(mirror, end);

		if (!memcmp(frame->bytes, start, frame->length < length ? frame->length : length))
			return mirror->newest - mirror->count + 1 + end;
	}
	return 0;
}

bool us_capture_took_one_buffer_each(struct us_capture *mirror, uint64_t number, uint64_t last)
{
	uint64_t oldest = mirror->newest - mirror->count + 1;

	if (mirror->odd > number || last > mirror->newest)
		return false;
	for (uint64_t n = number < oldest ? oldest : number + 1; n <= last; n++)
		if (mirror->is_odd[(mirror->first + n - oldest) % KEPT])
			return false;
	return true;
}

int us_capture_after(struct us_capture *mirror, uint64_t number, const struct us_frame *next,
		     const struct us_frame **ret_frames, size_t max)
{
	uint64_t newest = us_capture_newest(mirror, next), oldest;
	size_t count = 0;

	oldest = mirror->newest - mirror->count + 1;
	if (number == 0 || newest < number || number + 1 < oldest)
		return -ENOENT;
	for (uint64_t n = number + 1; n <= newest; n++) {
		const struct us_frame *frame = nth(mirror, n - oldest);

		if (!us_frame_is_to(frame->bytes, frame->length, mirror->mac))
			continue;
		if (count == max)
			return -ENOENT;
		ret_frames[count++] = frame;
	}
	return count;
}

int us_capture_new(struct us_capture **ret_mirror, sd_event *loop, const char *port,
		   const uint8_t mac[6], int queue, struct us_reason *reason)
{
	struct us_packet_config config = { .kind = US_PACKET_OUTGOING,
					   .has_queue = queue >= 0,
					   .queue = queue,
					   .receive_bytes = RECEIVE_BYTES };
	struct us_capture *mirror;
	struct us_link link;
	int r = us_link_get(port, &link, reason);

	if (r != 0)
		return r;
	mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return -ENOMEM;
	mirror->fd = -1;
	memcpy(mirror->mac, mac, sizeof(mirror->mac));
	config.port = link.index;
	r = us_packet_open(&config, &mirror->fd);
	if (r == 0)
		r = sd_event_add_io(loop, &mirror->io, mirror->fd, EPOLLIN, on_io, mirror);
	/* Others send them, without limit; meanwhile they can wait in the socket. */
	if (r >= 0)
		r = sd_event_source_set_priority(mirror->io, US_PRIORITY_CHANGING);
	if (r < 0) {
		us_capture_free(mirror);
		return us_refuse(reason, "interface %s: its frames cannot be watched: %s", port,
				 us_strerror(r));
	}
	*ret_mirror = mirror;
	return 0;
}

void us_capture_free(struct us_capture *mirror)
{
	if (!mirror)
		return;
	sd_event_source_disable_unref(mirror->io);
	us_close_async(mirror->fd);
	while (mirror->count > 0)
		forget_oldest(mirror);
	free(mirror);
}
