/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet socket at a port, and the port's counters. */
#include <errno.h>

#include "net/frame/packet.h"
#include "net/park/park-port.h"

enum {
	BATCH = 64,	  /* frames for one system call */
	QUEUED_MAX = 100, /* unread in a tap: a guest that stood still gets these at once */
};

int us_park_port_open(struct us_park_port *port, const struct us_link *link,
		      struct us_reason *reason)
{
	const struct us_packet_config config = { .kind = US_PACKET_SEND, .port = link->index };
	struct us_link_traffic traffic = { 0 };
	int fd = -1, r = us_packet_open(&config, &fd);

	if (r < 0)
		return us_refuse(reason, "interface %s: no frames can be sent there: %s",
				 link->name, us_strerror(r));
	us_park_port_close(port);
	us_link_get_traffic(link->index, &traffic);
	port->link = *link;
	port->fd = fd;
	port->queued = port->room = 0;
	port->read = traffic.sent;
	port->dropped = traffic.dropped;
	return 0;
}

void us_park_port_close(struct us_park_port *port)
{
	port->fd = us_close_async(port->fd);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many more frames may be sent. Only a tap tells how many its reader has not taken. */
static unsigned int get_room(struct us_park_port *port)
{
	struct us_link_traffic traffic = { 0 };
	uint64_t read;

	if (!port->link.is_tun)
		return BATCH;
	/* Its reader only makes room: the counters are read when the known room is used up. */
	if (port->room > 0)
		return port->room;
	if (us_link_get_traffic(port->link.index, &traffic) < 0)
		return 1; /* sending will tell that it is gone */
	read = traffic.sent - port->read;
	if (read > port->queued) /* others send there as well */
		port->queued = read;
	if (port->queued - read < QUEUED_MAX)
		port->room = QUEUED_MAX - (port->queued - read);
	return port->room;
}

/* Returns how many frames are done: on their way, or refused. -EAGAIN: none now; -ENODEV. */
static int send_frames(struct us_park_port *port, struct iovec *frames, unsigned int count)
{
	struct mmsghdr messages[BATCH];
	int sent;

	for (unsigned int i = 0; i < count; i++)
		messages[i] =
			(struct mmsghdr){ .msg_hdr = { .msg_iov = &frames[i], .msg_iovlen = 1 } };
	sent = sendmmsg(port->fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) { /* the first of them */
		if (errno == ENXIO || errno == ENODEV)
			return -ENODEV;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENETDOWN || errno == EINTR)
			return -EAGAIN;
		port->refused++;
		return 1;
	}
	port->queued += sent;
	port->sent += sent;
	port->room -= least(port->room, sent);
	return sent;
}

void us_park_port_send_copies(struct us_park_port *port, const struct us_park_buffer *buffer)
{
	struct us_park_cursor cursor = { 0 };
	const struct us_parked_frame *frame;

	while ((frame = us_park_buffer_next(buffer, &cursor))) {
		struct iovec one = { .iov_base = (void *)frame->bytes, .iov_len = frame->length };

		if (send_frames(port, &one, 1) < 0)
			port->refused++;
	}
}

/* The oldest frames of @buffer, a batch at most: how many. */
static unsigned int find_oldest(const struct us_park_buffer *buffer, unsigned int max,
				double weight, struct iovec *ret_frames)
{
	struct us_park_cursor cursor = { 0 };
	const struct us_parked_frame *frame;
	unsigned int count = 0;

	while (count < max && count < BATCH && weight > 0 &&
	       (frame = us_park_buffer_next(buffer, &cursor))) {
		ret_frames[count++] = (struct iovec){ .iov_base = (void *)frame->bytes,
						      .iov_len = frame->length };
		weight -= frame->weight;
	}
	return count;
}

int us_park_port_send_oldest(struct us_park_port *port, struct us_park_buffer *buffer,
			     struct us_park_quota *quota)
{
	struct iovec frames[BATCH];

	while (quota->frames > 0 && quota->bytes > 0) {
		unsigned int max =
			quota->waits ? least(quota->frames, get_room(port)) : quota->frames;
		unsigned int count = find_oldest(buffer, max, quota->weight, frames);
		int done = count ? send_frames(port, frames, count) : 0;

		if (done == -EAGAIN && !quota->waits) {
			port->refused++;
			done = 1;
		}
		if (done <= 0)
			return done == -EAGAIN ? 0 : done;
		for (int i = 0; i < done; i++) {
			quota->bytes -= frames[i].iov_len;
			quota->weight -= us_park_buffer_drop(buffer);
		}
		quota->frames -= done;
	}
	return US_PARK_QUOTA_USED;
}

uint64_t us_park_port_dropped(const struct us_park_port *port)
{
	struct us_link_traffic traffic = { 0 };

	if (port->fd < 0 || us_link_get_traffic(port->link.index, &traffic) < 0)
		return 0;
	return traffic.dropped - port->dropped;
}
