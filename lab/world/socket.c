/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/world/socket.h"
#include "util/cleanup.h"

#define BACKLOG 8

int us_lab_socket_bind(const char *path, int type, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	US_CLEANUP(us_closep) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int us_lab_socket_listen(const char *path, int *ret_fd)
{
	int r = us_lab_socket_bind(path, SOCK_STREAM, ret_fd);

	if (r || !listen(*ret_fd, BACKLOG))
		return r;
	r = -errno;
	*ret_fd = us_close(*ret_fd);
	return r;
}
