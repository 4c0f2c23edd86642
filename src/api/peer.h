/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is at the other end of a Unix socket, and what they may do. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct us_peer {
	pid_t pid;
	uid_t uid;
	bool may_change; /* root, the daemon's own user, or a member of the group */
};

/*
 * Reads the credentials that the peer had when it connected, supplementary groups included.
 * @group is the group that may change things, (gid_t)-1 for none. Returns 0 or -errno.
 */
int us_peer_read(struct us_peer *ret_peer, int fd, gid_t group);

/* The group's id; (gid_t)-1 if there is none of that name. May ask the network: once, at start. */
gid_t us_peer_group(const char *name);
