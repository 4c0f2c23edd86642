/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lab/world/relay.h"
#include "lab/world/socket.h"
#include "util/list.h"
#include "util/stream.h"

struct us_lab_relay {
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

/* The target sockets are blocking: both daemons always read, so a send does not wait for long. */
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
	struct us_lab_relay *relay = userdata;

	if (!connection)
		return -ENOMEM;
	us_list_append(&relay->connections, &connection->link);
	connection->fds[0] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	connection->fds[1] = connect_to(relay->target);
	for (int side = 0; side < 2; side++)
		if (connection->fds[0] < 0 || connection->fds[1] < 0 ||
		    sd_event_add_io(relay->loop, &connection->sources[side], connection->fds[side],
				    EPOLLIN, on_bytes, connection) < 0) {
			connection_free(connection);
			return 0;
		}
	return 0;
}

int us_lab_relay_new(struct us_lab_relay **ret_relay, sd_event *loop, const char *path,
		     const char *target)
{
	struct us_lab_relay *relay = calloc(1, sizeof(*relay));
	int fd, r;

	if (!relay)
		return -ENOMEM;
	relay->loop = loop;
	snprintf(relay->target, sizeof(relay->target), "%s", target);
	us_list_init(&relay->connections);
	r = us_lab_socket_listen(path, &fd);
	if (!r) {
		r = sd_event_add_io(loop, &relay->listener, fd, EPOLLIN, on_caller, relay);
		if (r < 0)
			us_close(fd);
	}
	if (r < 0) {
		us_lab_relay_free(relay);
		return r;
	}
	sd_event_source_set_io_fd_own(relay->listener, true);
	*ret_relay = relay;
	return 0;
}

void us_lab_relay_cut(struct us_lab_relay *relay)
{
	struct connection *connection;

	if (!relay)
		return;
	relay->listener = sd_event_source_disable_unref(relay->listener);
	us_list_for_each (connection, &relay->connections, link)
		connection_free(connection);
}

void us_lab_relay_free(struct us_lab_relay *relay)
{
	us_lab_relay_cut(relay);
	free(relay);
}
