/* SPDX-License-Identifier: BSD-3-Clause */
/* A line between two daemons: a Unix socket that leads to another one, until it is cut. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/fault/fault.h"
#include "util/list.h"
#include "util/stream.h"

struct us_fault_relay {
	sd_event *loop;
	sd_event_source *listener;
	struct us_list connections;
	char target[200];
};

struct connection {
	struct us_list link;
	int fds[2];
	sd_event_source *sources[2];
};

static void connection_free(struct connection *connection)
{
	us_list_remove(&connection->link);
	for (int side = 0; side < 2; side++) {
		sd_event_source_disable_unref(connection->sources[side]);
		us_close(connection->fds[side]);
	}
	free(connection);
}

/* Both daemons read whatever comes, so writing may wait for them. */
static bool pass_on(int from, int to)
{
	char bytes[65536];
	ssize_t n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT), done = 0;

	if (n < 0 && errno == EAGAIN)
		return true;
	while (n > 0 && done < n) {
		ssize_t sent = send(to, bytes + done, n - done, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		done += sent;
	}
	return n > 0;
}

static int on_bytes(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct connection *connection = userdata;
	int side = fd == connection->fds[1];

	if (!pass_on(fd, connection->fds[!side]))
		connection_free(connection);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fd = us_close(fd);
	return fd;
}

static int on_caller(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct us_fault_relay *line = userdata;

	if (!connection)
		return -ENOMEM;
	us_list_append(&line->connections, &connection->link);
	connection->fds[0] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	connection->fds[1] = connect_to(line->target);
	for (int side = 0; side < 2; side++)
		if (connection->fds[0] < 0 || connection->fds[1] < 0 ||
		    sd_event_add_io(line->loop, &connection->sources[side], connection->fds[side],
				    EPOLLIN, on_bytes, connection) < 0) {
			connection_free(connection);
			return 0;
		}
	return 0;
}

int us_fault_relay_new(struct us_fault_relay **ret_line, sd_event *loop, const char *path, const char *target)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	US_CLEANUP(us_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct us_fault_relay *line = calloc(1, sizeof(*line));
	int r = -ENOMEM;

	if (!line)
		return r;
	line->loop = loop;
	snprintf(line->target, sizeof(line->target), "%s", target);
	us_list_init(&line->connections);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8))
		r = -errno;
	else
		r = sd_event_add_io(loop, &line->listener, fd, EPOLLIN, on_caller, line);
	if (r < 0) {
		us_fault_relay_free(line);
		return r;
	}
	sd_event_source_set_io_fd_own(line->listener, true);
	fd = -1;
	*ret_line = line;
	return 0;
}

void us_fault_relay_cut(struct us_fault_relay *line)
{
	struct connection *connection;

	if (!line)
		return;
	line->listener = sd_event_source_disable_unref(line->listener);
	us_list_for_each (connection, &line->connections, link)
		connection_free(connection);
}

void us_fault_relay_free(struct us_fault_relay *line)
{
	us_fault_relay_cut(line);
	free(line);
}
