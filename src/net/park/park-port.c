/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet socket at a port, and the port's counters. */
#include <errno.h>

#include "net/frame/packet.h"
#include "net/park/park-port.h"

enum {
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
	port->queued = 0;
	port->read = traffic.sent;
	port->dropped = traffic.dropped;
	return 0;
}

void us_park_port_close(struct us_park_port *port)
{
	port->fd = us_close_async(port->fd);
}

int us_park_port_send(struct us_park_port *port, const uint8_t *bytes, size_t length)
{
	if (send(port->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		port->queued++;
		port->sent++;
		return 0;
	}
	if (errno == ENXIO || errno == ENODEV)
		return -ENODEV;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENETDOWN || errno == EINTR)
		return -EAGAIN;
	port->refused++;
	return 0;
}

unsigned int us_park_port_room(struct us_park_port *port)
{
	struct us_link_traffic traffic = { 0 };
	uint64_t read;

	if (!port->link.is_tun || us_link_get_traffic(port->link.index, &traffic) < 0)
		return QUEUED_MAX;
	read = traffic.sent - port->read;
	if (read > port->queued) /* others send there as well */
		port->queued = read;
	return port->queued - read < QUEUED_MAX ? QUEUED_MAX - (port->queued - read) : 0;
}

uint64_t us_park_port_dropped(const struct us_park_port *port)
{
	struct us_link_traffic traffic = { 0 };

	if (port->fd < 0 || us_link_get_traffic(port->link.index, &traffic) < 0)
		return 0;
	return traffic.dropped - port->dropped;
}
