/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Readiness of a primary, from the frames that come in through its port.
 *
 * One timer drives everything: at each tick the sockets are emptied, what came is judged, and
 * the next probes are sent. No frame ever wakes us, so a guest at full rate costs no more than an
 * idle one: the sockets hold a few frames and the kernel drops the rest.
 *
 * The probes' sender is the MAC of the port itself: the answer ends at this host, is not passed
 * on by the bridge, and nobody learns anything new from it. They leave through a packet socket
 * at the port, so they go to the guest and nowhere else.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "net/aside.h"
#include "net/frame.h"
#include "net/link.h"
#include "net/watch.h"
#include "util/clock.h"

enum {
	IPV4_MAX = 4, /* addresses that are probed at each tick */
	IPV6_MAX = 2,
	SILENT_PROBES = 5,    /* so many without a frame are silence: an answer can be late */
	DRAIN_MAX = 64,	      /* frames read at one tick, per socket */
	RECEIVE_BYTES = 8192, /* held by the kernel, per socket */
};

struct us_watch {
	struct us_watch_config config; /* its strings are not ours, nor used after the start */
	const struct us_watch_handler *handler;
	void *userdata;
	sd_event_source *timer;
	int standby_fd, primary_fd;
	int primary_index;
	uint8_t sender[6];

	uint64_t since_usec; /* frames have kept coming since then; 0: silence */
	uint64_t seen_usec;  /* the last tick with a frame */
	uint64_t heard_usec; /* the last tick with one that came in at the standby's port */

	uint8_t ipv4[IPV4_MAX][4];
	bool is_certain[IPV4_MAX];
	size_t ipv4_count, ipv4_next;
	uint8_t ipv6[IPV6_MAX][16]; /* the first is a guess, from the MAC */
	size_t ipv6_count;
};

/* ---- Sockets ---- */

#define LOAD(size, offset) BPF_STMT(BPF_LD | (size) | BPF_ABS, (offset))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define TAKE BPF_STMT(BPF_RET | BPF_K, US_FRAME_MAX)
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)

static uint32_t mac_head(const uint8_t *mac)
{
	return mac[0] << 8 | mac[1];
}

static uint32_t mac_tail(const uint8_t *mac)
{
	return (uint32_t)mac[2] << 24 | mac[3] << 16 | mac[4] << 8 | mac[5];
}

/* Frames from the MAC; with @also_to those to it as well. */
static int attach_filter(int fd, const uint8_t *mac, bool also_to)
{
	struct sock_filter from[] = {
		LOAD(BPF_W, 8), UNLESS(mac_tail(mac), 3),
		LOAD(BPF_H, 6), UNLESS(mac_head(mac), 1),
		TAKE,		DROP,
	};
	struct sock_filter from_or_to[] = {
		LOAD(BPF_W, 8), UNLESS(mac_tail(mac), 2),
		LOAD(BPF_H, 6), IF(mac_head(mac), 4),
		LOAD(BPF_W, 2), UNLESS(mac_tail(mac), 3),
		LOAD(BPF_H, 0), UNLESS(mac_head(mac), 1),
		TAKE,		DROP,
	};
	struct sock_fprog program = {
		.len = also_to ? US_ARRAY_LENGTH(from_or_to) : US_ARRAY_LENGTH(from),
		.filter = also_to ? from_or_to : from,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

/* Filters first, binds last: no foreign frame gets in between. */
static int open_socket(int port, const uint8_t *mac, bool also_to, int *ret_fd)
{
	const struct sockaddr_ll address = { .sll_family = AF_PACKET,
					     .sll_protocol = htobe16(ETH_P_ALL),
					     .sll_ifindex = port };
	US_CLEANUP(us_closep) int fd = -1;
	int size = RECEIVE_BYTES, one = 1, r;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = attach_filter(fd, mac, also_to);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
	    (!also_to &&
	     setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- What the frames say ---- */

/* Certain addresses stay; of the others, which may be routed through the guest, the last do. */
static void learn_ipv4(struct us_watch *watch, const uint8_t *ipv4, bool is_certain)
{
	size_t slot;

	for (size_t i = 0; i < watch->ipv4_count; i++) {
		if (memcmp(watch->ipv4[i], ipv4, 4) == 0) {
			watch->is_certain[i] |= is_certain;
			return;
		}
	}
	if (watch->ipv4_count < IPV4_MAX) {
		slot = watch->ipv4_count++;
	} else {
		slot = watch->ipv4_next++ % IPV4_MAX;
		if (watch->is_certain[slot])
			return;
	}
	memcpy(watch->ipv4[slot], ipv4, 4);
	watch->is_certain[slot] = is_certain;
}

static void learn_ipv6(struct us_watch *watch, const uint8_t *ipv6)
{
	for (size_t i = 0; i < watch->ipv6_count; i++)
		if (memcmp(watch->ipv6[i], ipv6, 16) == 0)
			return;
	if (watch->ipv6_count < IPV6_MAX)
		memcpy(watch->ipv6[watch->ipv6_count++], ipv6, 16);
}

void us_watch_learn(struct us_watch *watch, const uint8_t *frame, size_t length)
{
	struct us_frame_address address;

	if (!us_frame_learn(frame, length, watch->config.mac, &address))
		return;
	if (address.has_ipv4)
		learn_ipv4(watch, address.ipv4, address.is_certain);
	if (address.has_ipv6)
		learn_ipv6(watch, address.ipv6);
}

/* Empties a socket, learns, and returns how many frames came in there (not: went out). */
static size_t drain(struct us_watch *watch, int fd)
{
	uint8_t frame[US_FRAME_MAX];
	struct sockaddr_ll from;
	size_t count = 0;

	for (int i = 0; i < DRAIN_MAX; i++) {
		socklen_t size = sizeof(from);
		ssize_t length =
			recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);

		if (length < 0)
			break;
		count += from.sll_pkttype != PACKET_OUTGOING;
		us_watch_learn(watch, frame, length);
	}
	return count;
}

/* Whether frames have kept coming for long enough. */
static bool is_stable(struct us_watch *watch, bool seen, uint64_t now_usec)
{
	const struct us_watch_config *config = &watch->config;

	if (seen) {
		if (!watch->since_usec)
			watch->since_usec = now_usec;
		watch->seen_usec = now_usec;
	} else if (now_usec - watch->seen_usec > SILENT_PROBES * config->probe_usec) {
		watch->since_usec = 0;
	}
	return seen && now_usec - watch->since_usec >= config->stable_usec;
}

/* Whether it spoke from the primary, then nowhere, and there is nothing it could be asked. */
static bool is_quiet(const struct us_watch *watch, uint64_t now_usec)
{
	return watch->seen_usec && watch->seen_usec > watch->heard_usec && !watch->ipv4_count &&
	       now_usec - watch->seen_usec >= watch->config.quiet_usec;
}

/* ---- Probes ---- */

/* Lost probes do not matter, the next ones follow; an interface that is gone does. */
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

/* The echo request is for a guest whose addresses are unknown: its answer names one. */
static int send_probes(struct us_watch *watch)
{
	const uint8_t *mac = watch->config.mac;
	uint8_t frame[US_FRAME_MAX];
	int r = 0;

	for (size_t i = 0; i < watch->ipv4_count && r == 0; i++)
		r = send_probe(watch, frame,
			       us_frame_arp_probe(frame, watch->sender, mac, watch->ipv4[i]));
	for (size_t i = 0; i < watch->ipv6_count && r == 0; i++)
		r = send_probe(watch, frame,
			       us_frame_solicitation(frame, watch->sender, mac, watch->ipv6[i]));
	if (r == 0 && watch->ipv6_count < IPV6_MAX)
		r = send_probe(watch, frame, us_frame_echo(frame, watch->sender, mac));
	return r;
}

/* ---- The watch ---- */

static void stop(struct us_watch *watch)
{
	watch->timer = sd_event_source_disable_unref(watch->timer);
	watch->standby_fd = us_close_aside(watch->standby_fd);
	watch->primary_fd = us_close_aside(watch->primary_fd);
}

static void finish(struct us_watch *watch, bool ready, const char *why)
{
	stop(watch);
	watch->handler->traffic(watch->userdata, ready, why);
}

static int on_tick(sd_event_source *timer, uint64_t due_usec, void *userdata)
{
	struct us_watch *watch = userdata;
	uint64_t now_usec = us_now_usec();
	bool seen;

	if (drain(watch, watch->standby_fd) > 0)
		watch->heard_usec = now_usec;
	seen = drain(watch, watch->primary_fd) > 0;
	if (is_stable(watch, seen, now_usec) || is_quiet(watch, now_usec))
		finish(watch, true, NULL);
	else if (send_probes(watch) < 0)
		finish(watch, false, "the primary's interface is gone");
	else
		sd_event_source_set_time(timer, now_usec + watch->config.probe_usec);
	return 0;
}

static int start(struct us_watch *watch, sd_event *loop, int standby_index)
{
	int r;

	r = open_socket(standby_index, watch->config.mac, true, &watch->standby_fd);
	if (r == 0)
		r = open_socket(watch->primary_index, watch->config.mac, false, &watch->primary_fd);
	if (r == 0)
		r = sd_event_add_time(loop, &watch->timer, CLOCK_MONOTONIC, 0, 1000, on_tick,
				      watch);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(watch->timer, SD_EVENT_ON);
}

int us_watch_new(struct us_watch **ret_watch, sd_event *loop, const struct us_watch_config *config,
		 const struct us_watch_handler *handler, void *userdata, struct us_reason *reason)
{
	US_CLEANUP(us_watch_freep) struct us_watch *watch = NULL;
	struct us_link standby, primary;
	int r;

	r = us_link_get(config->standby_port, &standby, reason);
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
				    .primary_index = primary.index,
				    .ipv6_count = 1 };
	memcpy(watch->sender, primary.mac, sizeof(watch->sender));
	us_frame_link_local(config->mac, watch->ipv6[0]);

	r = start(watch, loop, standby.index);
	if (r == -EPERM || r == -EACCES)
		return us_refuse(reason,
				 "interface %s: cannot be watched: %s: CAP_NET_RAW is needed",
				 primary.name, us_strerror(r));
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
