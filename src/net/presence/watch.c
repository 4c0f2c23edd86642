/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One timer drives the watch: each tick empties the sockets, judges the frames, and sends the next
 * probes. No frame wakes the daemon, so a guest at full rate costs no more than an idle one: the
 * sockets hold a few frames, and the kernel drops the rest.
 *
 * The source of a probe is the MAC address of the port itself. So an answer ends at this host, the
 * bridge does not forward it, and nobody learns anything new. A probe leaves through a packet
 * socket at the port, so only the guest gets it.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/random.h>

#include "net/frame/addresses.h"
#include "net/netlink/fdb.h"
#include "net/netlink/link.h"
#include "net/frame/packet.h"
#include "net/presence/watch.h"
#include "util/clock.h"

enum {
	SILENT_PROBES = 5,    /* without a frame are silence: an answer can be late */
	DRAIN_MAX = 64,	      /* frames read at one tick, per socket */
	RECEIVE_BYTES = 8192, /* buffer in the kernel, per socket */
};

struct us_watch {
	struct us_watch_config config; /* its strings are valid during the start only */
	const struct us_watch_handler *handler;
	void *userdata;
	sd_event_source *timer;
	int standby_fd, primary_fd;
	int primary_index, vm_index;
	uint8_t sender[6];
	uint8_t asker_mac[6], asker_ipv6[16]; /* where answers go: the nonce, or the sender */

	uint64_t since_usec; /* frames keep coming since then; 0: silence */
	uint64_t seen_usec;  /* the last tick with a frame */
	uint64_t spoke_usec; /* the last tick with any frame from the primary, multicast included */
	uint64_t heard_usec; /* the last tick with a frame that came in at the standby's port */

	struct us_addresses addresses; /* the first IPv6 one is derived from the MAC address */
};

/* ---- Frames ---- */

void us_watch_learn(struct us_watch *watch, const uint8_t *frame, size_t length)
{
	us_addresses_learn(&watch->addresses, frame, length);
}

struct drained {
	bool came;     /* a frame came in there */
	bool answered; /* … which answers one of our probes */
};

static bool is_answer(const struct us_watch *watch, const uint8_t *frame, size_t length)
{
	return us_frame_is_arp_answer(frame, length, watch->config.mac, watch->asker_mac) ||
	       us_frame_is_advertisement_to(frame, length, watch->config.mac, watch->asker_ipv6);
}

/* Empties a socket, and learns from its frames. */
static struct drained drain(struct us_watch *watch, int fd)
{
	struct drained drained = { false };
	uint8_t frame[US_FRAME_MAX];
	struct sockaddr_ll from;

	for (int i = 0; i < DRAIN_MAX; i++) {
		socklen_t size = sizeof(from);
		ssize_t length =
			recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);

		if (length < 0)
			break;
		drained.came |= from.sll_pkttype != PACKET_OUTGOING;
		drained.answered |=
			from.sll_pkttype != PACKET_OUTGOING && is_answer(watch, frame, length);
		us_watch_learn(watch, frame, length);
	}
	return drained;
}

static void set_since(struct us_watch *watch, uint64_t since_usec)
{
	if (watch->handler->answering && !watch->since_usec != !since_usec)
		watch->handler->answering(watch->userdata, since_usec);
	watch->since_usec = since_usec;
}

/* Whether frames keep coming for long enough. */
static bool is_stable(struct us_watch *watch, bool seen, uint64_t now_usec)
{
	const struct us_watch_config *config = &watch->config;

	if (seen) {
		if (!watch->since_usec)
			set_since(watch, now_usec);
		watch->seen_usec = now_usec;
	} else if (now_usec - watch->seen_usec > SILENT_PROBES * config->probe_usec) {
		set_since(watch, 0);
	}
	return seen && now_usec - watch->since_usec >= config->stable_usec;
}

/* Whether the guest sent from the primary, then nowhere, and no address of it can be probed. */
static bool is_quiet(const struct us_watch *watch, uint64_t now_usec)
{
	return watch->spoke_usec && watch->spoke_usec > watch->heard_usec &&
	       !watch->addresses.known[0].family &&
	       now_usec - watch->spoke_usec >= watch->config.quiet_usec &&
	       (!watch->handler->is_started || watch->handler->is_started(watch->userdata));
}

/* ---- Probes ---- */

/* A lost probe does not matter, because the next one follows. */
static int send_probe(struct us_watch *watch, const uint8_t *frame, size_t length)
{
	const struct sockaddr_ll port = { .sll_family = AF_PACKET,
					  .sll_ifindex = watch->primary_index };

	if (sendto(watch->primary_fd, frame, length, MSG_DONTWAIT, (const struct sockaddr *)&port,
		   sizeof(port)) < 0 &&
	    (errno == ENXIO || errno == ENODEV))
		return -ENODEV;
	return 0;
}

/* The echo request is for a guest with unknown addresses: the answer has one. */
static int send_probes(struct us_watch *watch)
{
	const struct us_frame_address *known = watch->addresses.known;
	const uint8_t *mac = watch->config.mac;
	uint8_t frame[US_FRAME_MAX];
	int r = 0;

	for (size_t i = 0; i < US_ADDRESSES_MAX && r == 0; i++)
		if (known[i].family)
			r = send_probe(
				watch, frame,
				known[i].family == AF_INET
					? us_frame_arp_probe(frame, watch->sender, mac,
							     watch->asker_mac, known[i].bytes)
					: us_frame_solicitation(frame, watch->sender, mac,
								watch->asker_ipv6, known[i].bytes));
	/* Hints do not end the search; only certain addresses do. */
	if (r == 0 && !known[US_ADDRESSES_MAX - 1].is_certain)
		r = send_probe(watch, frame, us_frame_echo(frame, watch->sender, mac));
	return r;
}

/* ---- The nonce ---- */

static int draw_nonce(struct us_watch *watch)
{
	uint8_t nonce[14];

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return errno ? -errno : -EIO;
	memcpy(watch->asker_mac, nonce, sizeof(watch->asker_mac));
	watch->asker_mac[0] = (nonce[0] & 0xfc) | 2; /* one host's, locally administered */
	memcpy(watch->asker_ipv6 + 8, nonce + 6, 8);
	return 0;
}

/* If the port's filter is full, only the answers to solicitations arrive. */
static void receive_answers(struct us_watch *watch)
{
	struct packet_mreq membership = { .mr_ifindex = watch->primary_index,
					  .mr_type = PACKET_MR_UNICAST,
					  .mr_alen = sizeof(watch->asker_mac) };
	struct us_fdb_entry own = { .port = watch->vm_index, .state = NUD_PERMANENT };

	memcpy(membership.mr_address, watch->asker_mac, sizeof(watch->asker_mac));
	setsockopt(watch->primary_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership,
		   sizeof(membership));
	memcpy(own.mac, watch->asker_mac, sizeof(own.mac));
	us_fdb_put(&own, NULL);
}

/* ---- The watch ---- */

static void stop(struct us_watch *watch)
{
	if (watch->vm_index && watch->timer)
		us_fdb_delete(watch->asker_mac, watch->vm_index, 0);
	watch->timer = sd_event_source_disable_unref(watch->timer);
	watch->standby_fd = us_close_async(watch->standby_fd);
	watch->primary_fd = us_close_async(watch->primary_fd);
}

static void finish(struct us_watch *watch, bool is_ready, const struct us_reason *reason)
{
	stop(watch);
	watch->handler->traffic(watch->userdata, is_ready, reason);
}

static int on_tick(sd_event_source *timer, uint64_t due_usec, void *userdata)
{
	struct us_watch *watch = userdata;
	uint64_t now_usec = us_now_usec();
	struct drained standby = drain(watch, watch->standby_fd);
	struct drained primary = drain(watch, watch->primary_fd);
	static const struct us_reason gone = { .text = "the primary's interface is gone" };
	bool uses_primary = watch->config.answers_only ? primary.answered : primary.came;

	if (standby.came)
		watch->heard_usec = now_usec;
	if (primary.came)
		watch->spoke_usec = now_usec;
	if (is_stable(watch, uses_primary || standby.answered, now_usec) ||
	    is_quiet(watch, now_usec))
		finish(watch, true, NULL);
	else if (send_probes(watch) < 0)
		finish(watch, false, &gone);
	else
		sd_event_source_set_time(timer, now_usec + watch->config.probe_usec);
	return 0;
}

static int start(struct us_watch *watch, sd_event *loop, int standby_index)
{
	struct us_packet_config config = { .kind = US_PACKET_FROM_TO,
					   .port = standby_index,
					   .mac = watch->config.mac,
					   .receive_bytes = RECEIVE_BYTES };
	int r = us_packet_open(&config, &watch->standby_fd);

	config.kind = US_PACKET_FROM;
	config.port = watch->primary_index;
	if (r == 0)
		r = us_packet_open(&config, &watch->primary_fd);
	if (r == 0 && watch->config.answers_only)
		r = draw_nonce(watch);
	if (r == 0)
		r = sd_event_add_time(loop, &watch->timer, CLOCK_MONOTONIC, 0, 1000, on_tick,
				      watch);
	if (r < 0)
		return r;
	if (watch->vm_index)
		receive_answers(watch);
	return sd_event_source_set_enabled(watch->timer, SD_EVENT_ON);
}

int us_watch_new(struct us_watch **ret_watch, sd_event *loop, const struct us_watch_config *config,
		 const struct us_watch_handler *handler, void *userdata, struct us_reason *reason)
{
	US_CLEANUP(us_watch_freep) struct us_watch *watch = NULL;
	struct us_link standby, primary;
	int r = us_link_get(config->standby_port, &standby, reason);

	if (r == 0)
		r = us_link_get(config->primary_port, &primary, reason);
	if (r != 0)
		return r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct us_watch){ .config = *config,
				    .handler = handler,
				    .userdata = userdata,
				    .standby_fd = -1,
				    .primary_fd = -1,
				    .primary_index = primary.index };
	if (config->answers_only)
		watch->vm_index = if_nametoindex(config->vm_port);
	memcpy(watch->sender, primary.mac, sizeof(watch->sender));
	memcpy(watch->asker_mac, primary.mac, sizeof(watch->asker_mac));
	us_frame_link_local(primary.mac, watch->asker_ipv6);
	memcpy(watch->addresses.mac, config->mac, sizeof(config->mac));
	us_addresses_add_derived(&watch->addresses);

	r = start(watch, loop, standby.index);
	if (r == -EPERM || r == -EACCES) {
		us_refuse(reason, "interface %s: its traffic cannot be watched: %s", primary.name,
			  us_strerror(r));
		return us_advise(reason, "give understudyd CAP_NET_RAW");
	}
	if (r == 0)
		*ret_watch = US_STEAL(watch);
	return r;
}

void us_watch_free(struct us_watch *watch)
{
	if (!watch)
		return;
	stop(watch);
	free(watch);
}
