/* SPDX-License-Identifier: BSD-3-Clause */
/* One socket, read a little at a time: a storm of changes must not block the loop. */
#include <linux/rtnetlink.h>

#include "net/netlink/changes.h"
#include "net/netlink/decode.h"
#include "util/filter.h"
#include "util/priority.h"

enum {
	READS_PER_WAKEUP = 16,
	BUFFER_BYTES = 16384,
	RECEIVE_BYTES = 4 * 1024 * 1024, /* queued by the kernel: some thousand changes */
};

_Static_assert(US_CHANGES_MACS_MAX * 5 + 2 * US_CHANGES_PORTS_MAX + 32 < BPF_MAXINSNS,
	       "all tests fit into one filter");

struct us_changes {
	struct mnl_socket *socket;
	sd_event_source *io;
	const struct us_changes_handler *handler;
	void *userdata;
};

/* ---- The filter in the kernel ---- */

struct program {
	struct sock_filter lines[BPF_MAXINSNS];
	size_t count;
};

static void put(struct program *program, struct sock_filter line)
{
	program->lines[program->count++] = line;
}

#define TAKE(program) put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX))
#define DROP(program) put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0))
#define LOAD(program, size, mode, k)                                                               \
	put(program, (struct sock_filter)BPF_STMT(BPF_LD | (size) | (mode), k))
/* Runs the next statement only if the accumulator equals @k, or has bits of it. */
#define IF(program, test, k) put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | (test), k, 0, 1))

/* Netlink messages are in host byte order, but a filter loads in network byte order. */
static void put_kind(struct program *program)
{
	enum {
		TYPE = offsetof(struct nlmsghdr, nlmsg_type),
		FAMILY = sizeof(struct nlmsghdr) + offsetof(struct ndmsg, ndm_family),
		STATE = sizeof(struct nlmsghdr) + offsetof(struct ndmsg, ndm_state),
	};

	LOAD(program, BPF_H, BPF_ABS, TYPE);
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ, htobe16(RTM_NEWNEIGH), 2, 0));
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ, htobe16(RTM_DELNEIGH), 1, 0));
	TAKE(program);
	LOAD(program, BPF_B, BPF_ABS, FAMILY);
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ, AF_BRIDGE, 1, 0));
	DROP(program);
	LOAD(program, BPF_H, BPF_ABS, STATE);
	IF(program, BPF_JSET, htobe16(NUD_NOARP | NUD_PERMANENT));
	TAKE(program);
}

static void put_ports(struct program *program, const struct us_changes_interest *interest)
{
	LOAD(program, BPF_W, BPF_ABS,
	     sizeof(struct nlmsghdr) + offsetof(struct ndmsg, ndm_ifindex));
	for (size_t i = 0; i < interest->port_count; i++) {
		IF(program, BPF_JEQ, htobe32(interest->ports[i]));
		TAKE(program);
	}
}

/* Compares the last four bytes first, because they differ most often. */
static void put_macs(struct program *program, const struct us_changes_interest *interest)
{
	enum {
		HEAD = sizeof(struct nlattr),
		TAIL = HEAD + 2,
	};

	LOAD(program, BPF_W, BPF_IMM, sizeof(struct nlmsghdr) + sizeof(struct ndmsg));
	put(program, (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, NDA_LLADDR));
	LOAD(program, BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR);
	IF(program, BPF_JEQ, 0);
	DROP(program);
	put(program, (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
	LOAD(program, BPF_W, BPF_IND, TAIL);
	for (size_t i = 0; i < interest->mac_count; i++) {
		uint32_t tail = us_filter_mac_tail(interest->macs[i]);

		put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ, tail, 0, 4));
		LOAD(program, BPF_H, BPF_IND, HEAD);
		IF(program, BPF_JEQ, us_filter_mac_head(interest->macs[i]));
		TAKE(program);
		LOAD(program, BPF_W, BPF_IND, TAIL);
	}
	DROP(program);
}

/*
 * Guests can make a bridge learn entries without limit, so the kernel filters these. It drops IP
 * neighbours as well: a busy host has many, and they do not matter here.
 */
static int attach_filter(int fd, const struct us_changes_interest *interest)
{
	struct program program = { .count = 0 };
	const int none = 0;
	int r = -ENOMEM;

	put_kind(&program);
	put_ports(&program, interest);
	if (interest->mac_count <= US_CHANGES_MACS_MAX) {
		put_macs(&program, interest);
		r = us_filter_attach(fd, program.lines, program.count);
		/* The old filter and the new one count against the same limit. */
		if (r == -ENOMEM &&
		    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) == 0)
			r = us_filter_attach(fd, program.lines, program.count);
	}
	if (r != -ENOMEM)
		return r;
	program.count = 0;
	put_kind(&program);
	TAKE(&program);
	return us_filter_attach(fd, program.lines, program.count);
}

int us_changes_set_interest(struct us_changes *changes, const struct us_changes_interest *interest)
{
	return attach_filter(mnl_socket_get_fd(changes->socket), interest);
}

/* ---- Reports ---- */

static void take(struct us_changes *changes, const struct nlmsghdr *message)
{
	struct us_fdb_entry entry;
	char name[IF_NAMESIZE];

	if (us_decode_fdb_change(message, &entry))
		changes->handler->entry(changes->userdata, entry.mac);
	else if (us_decode_link_change(message, name))
		changes->handler->interface(changes->userdata, name);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_changes *changes = userdata;
	char buffer[BUFFER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (int i = 0; i < READS_PER_WAKEUP; i++) {
		const struct nlmsghdr *message = (const void *)buffer;
		ssize_t length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = length;

		if (length < 0 && errno == ENOBUFS)
			changes->handler->lost(changes->userdata);
		if (length < 0)
			break;
		for (; us_decode_is_whole(message, left); message = mnl_nlmsg_next(message, &left))
			take(changes, message);
	}
	return 0;
}

int us_changes_new(struct us_changes **ret_changes, sd_event *loop,
		   const struct us_changes_handler *handler, void *userdata)
{
	US_CLEANUP(us_changes_freep) struct us_changes *changes = calloc(1, sizeof(*changes));
	const struct us_changes_interest nothing = { .mac_count = 0 };
	const int bytes = RECEIVE_BYTES;
	int r;

	if (!changes)
		return -ENOMEM;
	changes->handler = handler;
	changes->userdata = userdata;
	changes->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!changes->socket)
		return -errno;
	r = us_changes_set_interest(changes, &nothing);
	/* Optional: with a smaller buffer, changes are lost earlier, and that is reported. */
	setsockopt(mnl_socket_get_fd(changes->socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		   sizeof(bytes));
	if (r < 0)
		return r;
	if (mnl_socket_bind(changes->socket, RTMGRP_NEIGH | RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	r = sd_event_add_io(loop, &changes->io, mnl_socket_get_fd(changes->socket), EPOLLIN,
			    on_readable, changes);
	/* Whoever moves an address of interest to and fro causes changes without limit. They can
	 * wait in the socket. */
	if (r >= 0)
		r = sd_event_source_set_priority(changes->io, US_PRIORITY_CHANGING);
	if (r < 0)
		return r;
	*ret_changes = US_STEAL(changes);
	return 0;
}

void us_changes_free(struct us_changes *changes)
{
	if (!changes)
		return;
	sd_event_source_disable_unref(changes->io);
	if (changes->socket)
		mnl_socket_close(changes->socket);
	free(changes);
}
