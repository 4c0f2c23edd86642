/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet sockets at the guest's port and at the ports that lead away. A timer reads them, so no
 * frame wakes the daemon. It reads the guest's port first: a frame that has left came in before.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "net/presence/claims.h"
#include "net/netlink/link.h"
#include "net/frame/packet.h"
#include "util/clock.h"
#include "util/timer.h"

enum {
	PORTS_MAX = 17, /* the guest's, and those that lead away */
	TICK_USEC = 100 * 1000,
	FRAMES_MAX = 64,       /* read at one tick, per socket */
	RECEIVE_BYTES = 65536, /* buffer in the kernel, per socket */
};

enum verdict {
	UNSEEN, /* has not left the bridge */
	ACCEPTED,
	REFUSED, /* an address of this host */
};

struct us_claims {
	struct us_timer timer;
	struct us_addresses sent; /* claimed at the guest's port; certain ones only */
	enum verdict verdicts[US_ADDRESSES_MAX];
	size_t port_count; /* the guest's port is the first */
	int ports[PORTS_MAX];
	int fds[PORTS_MAX]; /* a socket at each port */
};

/* ---- Frames ---- */

/* Calls @each for every certain address that the frames in a socket claim. */
static void drain(struct us_claims *claims, int fd,
		  void (*each)(struct us_claims *claims, const struct us_frame_address *claim))
{
	struct us_frame_address claim;
	uint8_t frame[US_PACKET_SNAP];

	for (int i = 0; i < FRAMES_MAX; i++) {
		ssize_t length = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (length < 0)
			break;
		if (us_frame_learn(frame, length, claims->sent.mac, &claim) && claim.is_certain)
			each(claims, &claim);
	}
}

static void on_sent(struct us_claims *claims, const struct us_frame_address *claim)
{
	us_addresses_put(&claims->sent, claim);
}

static void on_left(struct us_claims *claims, const struct us_frame_address *claim)
{
	const struct us_frame_address *known = claims->sent.known;

	for (size_t i = 0; i < US_ADDRESSES_MAX; i++)
		if (claims->verdicts[i] == UNSEEN && known[i].family == claim->family &&
		    memcmp(known[i].bytes, claim->bytes, sizeof(claim->bytes)) == 0)
			claims->verdicts[i] = us_addresses_is_of_host(claim) ? REFUSED : ACCEPTED;
}

static void read_all(struct us_claims *claims)
{
	for (size_t i = 0; i < claims->port_count; i++)
		drain(claims, claims->fds[i], i == 0 ? on_sent : on_left);
}

bool us_claims_address(struct us_claims *claims, size_t i, char ret_text[US_ADDRESS_TEXT_MAX])
{
	const struct us_frame_address *known = claims->sent.known;

	read_all(claims);
	for (size_t k = 0; k < US_ADDRESSES_MAX; k++)
		if (claims->verdicts[k] == ACCEPTED && i-- == 0)
			return inet_ntop(known[k].family, known[k].bytes, ret_text,
					 US_ADDRESS_TEXT_MAX);
	return false;
}

/* ---- Life ---- */

static void on_time(void *userdata)
{
	struct us_claims *claims = userdata;

	read_all(claims);
	us_timer_set(&claims->timer, us_now_usec() + TICK_USEC);
}

static void add_port(void *userdata, const struct us_link *port)
{
	struct us_claims *claims = userdata;

	if (port->is_up && !port->is_tun && port->index != claims->ports[0] &&
	    claims->port_count < PORTS_MAX)
		claims->ports[claims->port_count++] = port->index;
}

static int open_all(struct us_claims *claims, const char *port, struct us_reason *reason)
{
	struct us_packet_config config = { .mac = claims->sent.mac,
					   .receive_bytes = RECEIVE_BYTES };
	struct us_link link;
	int r = us_link_get_bridge_port(port, &link, reason);

	if (r != 0)
		return r;
	claims->ports[claims->port_count++] = link.index;
	r = us_link_each_port(link.master, add_port, claims);
	for (size_t i = 0; i < claims->port_count && r == 0; i++) {
		config.kind = i == 0 ? US_PACKET_CLAIMS : US_PACKET_CLAIMS_OUT;
		config.port = claims->ports[i];
		r = us_packet_open(&config, &claims->fds[i]);
	}
	return r;
}

int us_claims_new(struct us_claims **ret_claims, sd_event *loop, const char *port,
		  const uint8_t mac[6], struct us_reason *reason)
{
	US_CLEANUP(us_claims_freep) struct us_claims *claims = calloc(1, sizeof(*claims));
	int r;

	if (!claims)
		return -ENOMEM;
	memcpy(claims->sent.mac, mac, sizeof(claims->sent.mac));
	for (size_t i = 0; i < PORTS_MAX; i++)
		claims->fds[i] = -1;
	r = open_all(claims, port, reason);
	if (r == 0)
		r = us_timer_init(&claims->timer, loop, on_time, claims);
	if (r != 0)
		return r;
	us_timer_set(&claims->timer, us_now_usec() + TICK_USEC);
	*ret_claims = US_STEAL(claims);
	return 0;
}

void us_claims_free(struct us_claims *claims)
{
	if (!claims)
		return;
	us_timer_deinit(&claims->timer);
	for (size_t i = 0; i < PORTS_MAX; i++)
		us_close_async(claims->fds[i]);
	free(claims);
}
