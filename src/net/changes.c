/* SPDX-License-Identifier: BSD-3-Clause */
/* One socket, read a little at a time: a storm of changes must not keep the loop from others. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "net/changes.h"
#include "net/decode.h"

enum {
	READS_PER_WAKEUP = 16,
	BUFFER_BYTES = 16384,
};

struct us_changes {
	struct mnl_socket *socket;
	sd_event_source *io;
	const struct us_changes_handler *handler;
	void *userdata;
};

/* Neighbours of IP are a busy host's business: only bridges' entries wake us. */
static int attach_filter(int fd)
{
	enum {
		TYPE = offsetof(struct nlmsghdr, nlmsg_type),
		FAMILY = sizeof(struct nlmsghdr) + offsetof(struct ndmsg, ndm_family),
	};
	/* A filter loads in network order what is there in the host's. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htobe16(RTM_NEWNEIGH), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htobe16(RTM_DELNEIGH), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAMILY),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = US_ARRAY_LENGTH(filter), .filter = filter };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

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
	int r;

	if (!changes)
		return -ENOMEM;
	changes->handler = handler;
	changes->userdata = userdata;
	changes->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!changes->socket)
		return -errno;
	r = attach_filter(mnl_socket_get_fd(changes->socket));
	if (r < 0)
		return r;
	if (mnl_socket_bind(changes->socket, RTMGRP_NEIGH | RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	r = sd_event_add_io(loop, &changes->io, mnl_socket_get_fd(changes->socket), EPOLLIN,
			    on_readable, changes);
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
