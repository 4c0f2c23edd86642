/* SPDX-License-Identifier: BSD-3-Clause */
/* Rounds of announcements. Nobody waits for them, and a lost one is followed by the next. */
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>

#include "net/presence/announce.h"
#include "net/netlink/link.h"
#include "net/frame/packet.h"
#include "util/clock.h"
#include "util/timer.h"

enum {
	ROUNDS = 8,
	PORTS_MAX = 1024, /* of a Linux bridge */
	FIRST_PAUSE_USEC = 50 * 1000,
};

struct us_announce {
	struct us_addresses addresses;
	struct us_timer timer; /* set until the last round */
	int fd;
	unsigned round;
	int own[2]; /* indices of the pair's own ports, 0: none */
	size_t port_count;
	int ports[PORTS_MAX];
};

struct packet {
	struct virtio_net_hdr header; /* no offload */
	uint8_t frame[US_FRAME_MAX];
};

static void send_everywhere(const struct us_announce *announce, const struct packet *packet,
			    size_t length)
{
	length += offsetof(struct packet, frame);
	for (size_t i = 0; i < announce->port_count; i++) {
		const struct sockaddr_ll port = { .sll_family = AF_PACKET,
						  .sll_ifindex = announce->ports[i] };

		sendto(announce->fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL,
		       (const struct sockaddr *)&port, sizeof(port));
	}
}

static void send_round(const struct us_announce *announce)
{
	const uint8_t *mac = announce->addresses.mac;
	struct packet packet = { .frame = { 0 } };

	send_everywhere(announce, &packet, us_frame_rarp(packet.frame, mac));
	for (size_t i = 0; i < US_ADDRESSES_MAX; i++) {
		const struct us_frame_address *known = &announce->addresses.known[i];

		if (known->family)
			send_everywhere(
				announce, &packet,
				known->family == AF_INET
					? us_frame_arp_announcement(packet.frame, mac, known->bytes)
					: us_frame_advertisement(packet.frame, mac, known->bytes));
	}
}

static void on_time(void *userdata)
{
	struct us_announce *announce = userdata;

	send_round(announce);
	if (++announce->round < ROUNDS)
		us_timer_set(&announce->timer,
			     us_now_usec() + (FIRST_PAUSE_USEC << (announce->round - 1)));
	else
		announce->fd = us_close_async(announce->fd);
}

static void add_port(void *userdata, const struct us_link *port)
{
	struct us_announce *announce = userdata;

	if (port->is_up && !port->is_tun && port->index != announce->own[0] &&
	    port->index != announce->own[1] && announce->port_count < PORTS_MAX)
		announce->ports[announce->port_count++] = port->index;
}

static int find_ports(struct us_announce *announce, const char *standby, const char *primary,
		      struct us_reason *reason)
{
	bool filters_vlans = false;
	struct us_link link;
	int r = us_link_get_bridge_port(standby, &link, reason);

	if (r != 0)
		return r;
	r = us_link_filters_vlans(link.master, &filters_vlans);
	if (r == 0 && filters_vlans)
		return us_refuse(reason, "interface %s: its bridge filters VLANs: cannot announce",
				 standby);
	if (r < 0)
		return r;
	announce->own[0] = link.index;
	announce->own[1] = primary ? if_nametoindex(primary) : 0;
	return us_link_each_port(link.master, add_port, announce);
}

int us_announce_new(struct us_announce **ret_announce, sd_event *loop, const uint8_t mac[6],
		    const char *standby, const char *primary, struct us_reason *reason)
{
	US_CLEANUP(us_announce_freep) struct us_announce *announce = calloc(1, sizeof(*announce));
	int r;

	if (!announce)
		return -ENOMEM;
	announce->fd = -1;
	memcpy(announce->addresses.mac, mac, sizeof(announce->addresses.mac));
	r = find_ports(announce, standby, primary, reason);
	if (r == 0)
		r = us_packet_open(&(struct us_packet_config){ .kind = US_PACKET_SEND },
				   &announce->fd);
	if (r == 0)
		r = us_timer_init(&announce->timer, loop, on_time, announce);
	if (r != 0)
		return r;
	us_timer_set(&announce->timer, us_now_usec());
	*ret_announce = US_STEAL(announce);
	return 0;
}

void us_announce_free(struct us_announce *announce)
{
	if (!announce)
		return;
	us_timer_deinit(&announce->timer);
	us_close_async(announce->fd);
	free(announce);
}

void us_announce_add_address(struct us_announce *announce, const char *text)
{
	us_addresses_add(&announce->addresses, text);
}
