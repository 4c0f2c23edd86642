/* SPDX-License-Identifier: BSD-3-Clause */
/* The process at the other end of a Unix socket, and its permission. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct us_peer {
	pid_t pid;
	uid_t uid;
	bool may_change; /* root, the daemon's own user, or a member of the group */
};

/*
 * Reads the credentials of the peer when it connected, with its supplementary groups. Members of
 * @group may make changes; (gid_t)-1: no group. Returns 0 or -errno.
 */
int us_peer_read(struct us_peer *ret_peer, int fd, gid_t group);

/* The id of a group; (gid_t)-1: it does not exist. May ask the network, so call it at the start. */
gid_t us_peer_group(const char *name);
