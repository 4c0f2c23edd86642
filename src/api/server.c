/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clients of the control API: accepts connections, and ends them.
 *
 * Everybody may connect, so all memory that a client can use is bounded: its messages, its queued
 * calls (call.c), and the answers that it does not read. Users other than root share half of the
 * connections, so that root can always connect.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "api/server-private.h"
#include "util/clock.h"
#include "util/priority.h"
#include "util/unix-socket.h"

enum {
	CLIENTS_MAX = 512,
	FILES_PER_CLIENT =
		4, /* one client for so many descriptors of the limit; VMs need most of them */
	OTHERS_PART = 2, /* users other than root have one part of so many */
	ACCEPTS_PER_WAKEUP = 16,
	MESSAGE_BYTES_MAX = 128 * 1024, /* a frame of 64 KiB in base64 */
};

/* One answer is buffered at a time; for a thousand pairs it has about 1 MiB. */
static const struct us_server_limits changing_limits = {
	.stream = { .message_bytes = MESSAGE_BYTES_MAX, .backlog_bytes = 4 * 1024 * 1024 },
	.priority = US_PRIORITY_CHANGING,
	.queued_count = 64,
	.queued_bytes = 1024 * 1024,
	.uid_part = 8,
};
static const struct us_server_limits reading_limits = {
	.stream = { .message_bytes = MESSAGE_BYTES_MAX, .backlog_bytes = 1024 * 1024 },
	.priority = US_PRIORITY_READING,
	.queued_count = 16,
	.queued_bytes = MESSAGE_BYTES_MAX,
	.uid_part = 32,
};

static const struct us_server_limits *limits_of(const struct us_peer *peer)
{
	return peer->may_change ? &changing_limits : &reading_limits;
}

/* The pause without descriptors; meanwhile a listening socket would always be ready. */
#define REST_USEC (200 * US_USEC_PER_MSEC)

/* @reason is for the log; NULL: the client left by itself. */
static void drop_client(struct us_server_client *client, const char *reason)
{
	struct us_server *server = client->server;

	server->counts.dropped += reason != NULL;
	if (reason && server->dropped)
		server->dropped(server->userdata, client->peer.pid, client->peer.uid, reason);
	us_calls_abandon(client);
	us_list_remove(&client->list);
	server->counts.connected--;
	us_stream_free(client->stream);
	free(client);
}

static void on_message(void *userdata, char *text, size_t length)
{
	us_calls_receive(userdata, text, length);
}

static void on_closed(void *userdata, int error)
{
	const char *reason = NULL;

	if (error == -EMSGSIZE)
		reason = "sent a message of more than 128 KiB";
	else if (error == -ENOBUFS)
		reason = "does not read its answers";
	else if (error != 0 && error != -ECONNRESET && error != -EPIPE)
		reason = us_strerror(error);
	drop_client(userdata, reason);
}

static const struct us_stream_handler stream_handler = {
	.message = on_message,
	.closed = on_closed,
};

/* The reason to refuse this peer; NULL: it is accepted. */
static const char *find_no_place(struct us_server *server, const struct us_peer *peer)
{
	struct us_server_client *client;
	size_t others = 0, same = 0;

	if (server->counts.connected >= server->clients_max)
		return "too many clients";
	if (peer->uid == 0)
		return NULL;
	us_list_for_each (client, &server->clients, list) {
		others += client->peer.uid != 0;
		same += client->peer.uid == peer->uid;
	}
	if (same >= server->clients_max / limits_of(peer)->uid_part)
		return "too many clients of this user";
	return others >= server->clients_max / OTHERS_PART ? "too many clients" : NULL;
}

/* Takes @fd. */
static int add_client(struct us_server *server, const struct us_peer *peer, int fd)
{
	const struct us_server_limits *limits = limits_of(peer);
	struct us_server_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		us_close(fd);
		return -ENOMEM;
	}
	*client = (struct us_server_client){
		.server = server,
		.peer = *peer,
		.limits = limits,
		.priority = limits->priority,
	};
	us_list_init(&client->queued);
	r = us_stream_new(&client->stream, server->loop, fd, '\0', limits->stream, &stream_handler,
			  client);
	if (r < 0) {
		free(client);
		return r;
	}
	us_stream_set_client(client->stream, limits->priority);
	us_list_append(&server->clients, &client->list);
	server->counts.connected++;
	return 0;
}

static void welcome(struct us_server *server, int fd)
{
	struct us_peer peer = { 0 };
	const char *reason = NULL;
	int r = us_peer_read(&peer, fd, server->group);

	if (r == 0)
		reason = find_no_place(server, &peer);
	if (r < 0 || reason)
		us_close(fd);
	else
		r = add_client(server, &peer, fd);
	if (r < 0)
		reason = us_strerror(r);
	server->counts.accepted += !reason;
	server->counts.refused += reason != NULL;
	if (reason && server->dropped)
		server->dropped(server->userdata, peer.pid, peer.uid, reason);
}

static void rest(struct us_server *server)
{
	if (!server->is_resting && server->dropped)
		server->dropped(server->userdata, 0, 0, "no descriptor is left for it");
	server->is_resting = true;
	sd_event_source_set_enabled(server->listening, SD_EVENT_OFF);
	us_timer_set(&server->resting, us_now_usec() + REST_USEC);
}

static void on_rested(void *userdata)
{
	sd_event_source_set_enabled(((struct us_server *)userdata)->listening, SD_EVENT_ON);
}

static int on_connect(sd_event_source *source, int listening_fd, uint32_t events, void *userdata)
{
	struct us_server *server = userdata;

	for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			server->is_resting = false;
			welcome(server, fd);
			continue;
		}
		/* ECONNABORTED: a peer has left already; others may wait. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest(server);
		if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	return 0;
}

/* ---- The socket ---- */

static int open_socket(struct us_server *server, const char *path, struct us_reason *reason)
{
	int on = 1, r;

	if (server->fd >= 0)
		return ioctl(server->fd, FIONBIO, &on) < 0 ? -errno : 0;
	r = us_listen_unix(path, &server->fd, reason);
	if (r == 0) {
		server->path = strdup(path);
		r = server->path ? 0 : -ENOMEM;
	}
	if (r >= 0)
		return r;
	us_refuse(reason, "cannot listen on %s: %s", path, us_strerror(r));
	return us_advise(reason, "name another with --socket");
}

/* ---- The server ---- */

static int add_sources(struct us_server *server)
{
	int r = us_timer_init(&server->resting, server->loop, on_rested, server);

	if (r >= 0)
		r = sd_event_add_io(server->loop, &server->listening, server->fd, EPOLLIN,
				    on_connect, server);
	if (r < 0)
		return r;
	/* A client that can make changes can connect before the calls of readers are handled. */
	return sd_event_source_set_priority(server->listening, US_PRIORITY_CHANGING);
}

/* Leaves the descriptors that VMs, the switch and the state file need. */
static size_t find_clients_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / FILES_PER_CLIENT > CLIENTS_MAX)
		return CLIENTS_MAX;
	return limit.rlim_cur / FILES_PER_CLIENT;
}

/* Every method of the daemon must be in the interface. */
static void check_methods(const struct us_server *server)
{
	for (const struct us_method *method = server->methods; method->name; method++)
		assert(us_interface_find(server->control, US_MEMBER_METHOD, method->name));
}

static const struct us_calls_handler calls_handler = {
	.dispatch = us_dispatch,
	.drop = drop_client,
};

int us_server_new(struct us_server **ret_server, sd_event *loop, const char *path, int fd,
		  const struct us_method *methods, void *userdata, struct us_reason *reason)
{
	US_CLEANUP(us_server_freep) struct us_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		us_close(fd);
		return -ENOMEM;
	}
	*server = (struct us_server){
		.loop = loop,
		.fd = fd,
		.group = us_peer_group("understudy"),
		.clients_max = find_clients_max(),
		.calls = &calls_handler,
		.methods = methods,
		.userdata = userdata,
	};
	us_list_init(&server->clients);
	r = us_interface_new(&server->control, us_control_interface_text, reason);
	if (r == 0)
		r = us_interface_new(&server->service, us_service_interface_text, reason);
	if (r != 0)
		return r;
	check_methods(server);
	r = open_socket(server, path, reason);
	if (r == 0)
		r = add_sources(server);
	if (r != 0)
		return r;
	*ret_server = US_STEAL(server);
	return 0;
}

void us_server_free(struct us_server *server)
{
	struct us_server_client *client;

	if (!server)
		return;
	us_list_for_each (client, &server->clients, list)
		drop_client(client, NULL);
	sd_event_source_disable_unref(server->listening);
	us_timer_deinit(&server->resting);
	us_close(server->fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	us_interface_free(server->control);
	us_interface_free(server->service);
	free(server);
}

const struct us_server_counts *us_server_counts(const struct us_server *server)
{
	return &server->counts;
}

void us_server_on_drop(struct us_server *server, us_server_dropped_fn dropped)
{
	server->dropped = dropped;
}
