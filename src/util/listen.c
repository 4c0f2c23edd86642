/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/cleanup.h"
#include "util/listen.h"
#include "util/stream.h"

static int make_way(const char *path, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int fd = -1;
	struct stat status;
	int r;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return us_refuse(reason, "%s is no socket: remove it, or listen elsewhere", path);
	r = us_connect_unix(path, &fd);
	if (r == 0 || r == -EAGAIN)
		return us_refuse(reason, "%s: another understudyd serves here: stop it first",
				 path);
	if (r != -ECONNREFUSED)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int us_listen_unix(const char *path, int *ret_fd, struct us_reason *reason)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	US_CLEANUP(us_closep) int fd = -1;
	int r = make_way(path, reason);

	if (r != 0)
		return r;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* Nobody can connect before listen(): there is no moment with other permissions. */
	if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
