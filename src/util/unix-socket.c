/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/cleanup.h"
#include "util/unix-socket.h"

typedef int (*act_fn)(int fd, const struct sockaddr *address, socklen_t size);

/* Makes a socket, and binds or connects it to @path. */
static int open_socket(const char *path, act_fn act, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	US_CLEANUP(us_closep) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || act(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int us_connect_unix(const char *path, int *ret_fd)
{
	return open_socket(path, connect, ret_fd);
}

/* Removes a socket at which nobody listens. */
static int make_way(const char *path, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int fd = -1;
	struct stat status;
	int r;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode)) {
		us_refuse(reason, "%s is no socket", path);
		return us_advise(reason, "remove it, or listen elsewhere");
	}
	r = us_connect_unix(path, &fd);
	if (r == 0 || r == -EAGAIN) {
		us_refuse(reason, "%s: another understudyd serves here", path);
		return us_advise(reason, "stop it first");
	}
	if (r != -ECONNREFUSED)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int us_listen_unix(const char *path, int *ret_fd, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int fd = -1;
	int r = make_way(path, reason);

	if (r == 0)
		r = open_socket(path, bind, &fd);
	if (r != 0)
		return r;
	/* Nobody can connect before listen(), so no client sees other permissions. */
	if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}
