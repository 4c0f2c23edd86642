/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/peer.h"
#include "util/cleanup.h"

static bool has_group(int fd, gid_t group)
{
	US_CLEANUP(us_freep) gid_t *groups = NULL;
	socklen_t bytes = 0;

	/* Without space, the kernel answers ERANGE and the size that it needs. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || errno != ERANGE)
		return false;
	groups = malloc(bytes);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
		return false;
	for (size_t i = 0; i < bytes / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

int us_peer_read(struct us_peer *ret_peer, int fd, gid_t group)
{
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) < 0)
		return -errno;
	*ret_peer = (struct us_peer){ .pid = credentials.pid, .uid = credentials.uid };
	ret_peer->may_change =
		credentials.uid == 0 || credentials.uid == geteuid() ||
		(group != (gid_t)-1 && (credentials.gid == group || has_group(fd, group)));
	return 0;
}

gid_t us_peer_group(const char *name)
{
	struct group *group = getgrnam(name);

	return group ? group->gr_gid : (gid_t)-1;
}
