/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Serves the metrics over HTTP (RFC 9112), for a scraper: one request, one answer, and the end of
 * the connection is the end of the text. The memory and the time of clients are bounded: their
 * number, the head of a request, one piece of the text, and ten seconds.
 *
 * Listens only at addresses of this host, because the metrics need no permission.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/metrics/metrics-private.h"
#include "net/netlink/peer-owner.h"
#include "util/clock.h"
#include "util/priority.h"
#include "util/timer.h"
#include "util/unix-socket.h"

enum {
	CLIENTS_MAX = 8,
	CLIENTS_OF_USER = 4, /* of one user other than root */
	HEAD_BYTES = 8 * 1024,
	REST_USEC = 200 * 1000, /* the pause without descriptors */
};

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct us_metrics_server {
	struct us_metrics *metrics;
	int fd;
	char *path; /* NULL unless this server removes the socket */
	sd_event_source *listening;
	struct us_timer resting; /* set while accept() fails for want of descriptors */
	struct us_list clients;
	unsigned count;
};

struct client {
	struct us_list link;
	struct us_metrics_server *server;
	int fd;
	uid_t uid;
	sd_event_source *io;
	struct us_timer deadline;
	struct us_metrics_reader *reader; /* NULL: no text */
	bool is_answering, is_over;	  /* all is sent: waits until the client closes */
	size_t length, sent;
	char bytes[US_METRICS_PIECE_BYTES]; /* the head of the request, then the answer */
};

static void drop(struct client *client)
{
	us_list_remove(&client->link);
	client->server->count--;
	us_timer_deinit(&client->deadline);
	us_metrics_reader_free(client->reader);
	sd_event_source_disable_unref(client->io);
	us_close(client->fd);
	free(client);
}

static void on_deadline(void *userdata)
{
	drop(userdata);
}

/* ---- Answering ---- */

static void answer(struct client *client, const char *status, const char *type, const char *body)
{
	client->length = snprintf(client->bytes, sizeof(client->bytes),
				  "HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\n\r\n%s",
				  status, type, body);
	client->is_answering = true;
	sd_event_source_set_io_events(client->io, EPOLLOUT);
}

static void answer_metrics(struct client *client, bool with_body)
{
	int r = with_body ? us_metrics_reader_new(&client->reader, client->server->metrics,
						  client->uid)
			  : 0;

	if (r < 0)
		answer(client, "503 Service Unavailable", TEXT_TYPE, "try again later\n");
	else
		answer(client, "200 OK", METRICS_TYPE, "");
}

/* @head is complete, with a NUL. */
static void take_request(struct client *client, char *head)
{
	char *target, *version, *rest = NULL, *method;
	bool is_get;

	head[strcspn(head, "\r\n")] = '\0';
	method = strtok_r(head, " ", &rest);
	target = strtok_r(NULL, " ", &rest);
	version = strtok_r(NULL, " ", &rest);
	if (!version || strncmp(version, "HTTP/1.", 7) != 0 || *rest) {
		answer(client, "400 Bad Request", TEXT_TYPE, "this is no HTTP/1 request\n");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	is_get = strcmp(method, "GET") == 0;
	if (!is_get && strcmp(method, "HEAD") != 0)
		answer(client, "405 Method Not Allowed\r\nAllow: GET, HEAD", TEXT_TYPE,
		       "there is only GET\n");
	else if (strcmp(target, "/metrics") != 0)
		answer(client, "404 Not Found", TEXT_TYPE, "there is only /metrics\n");
	else
		answer_metrics(client, is_get);
}

/* Returns whether the client is still connected. */
static bool read_request(struct client *client)
{
	char *bytes = client->bytes;
	ssize_t n = recv(client->fd, bytes + client->length, HEAD_BYTES - client->length, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	client->length += n;
	bytes[client->length] = '\0';
	if (strstr(bytes, "\r\n\r\n") || strstr(bytes, "\n\n"))
		take_request(client, bytes);
	else if (memchr(bytes, '\0', client->length))
		answer(client, "400 Bad Request", TEXT_TYPE, "this is no HTTP/1 request\n");
	else if (client->length == HEAD_BYTES)
		answer(client, "431 Request Header Fields Too Large", TEXT_TYPE,
		       "8 KiB are enough\n");
	return true;
}

/* Writes one piece in a turn of the loop. Returns whether the client is still connected. */
static bool write_answer(struct client *client)
{
	ssize_t n;

	if (client->sent == client->length) {
		client->sent = 0;
		client->length = client->reader
					 ? us_metrics_reader_read(client->reader, client->bytes,
								  sizeof(client->bytes))
					 : 0;
	}
	if (client->length == 0) {
		/* close() with unread data would reset the connection, and the client could lose
		 * the answer. */
		client->is_over = true;
		shutdown(client->fd, SHUT_WR);
		sd_event_source_set_io_events(client->io, EPOLLIN);
		return true;
	}
	n = send(client->fd, client->bytes + client->sent, client->length - client->sent,
		 MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += n;
	return true;
}

static bool read_rest(struct client *client)
{
	ssize_t n = recv(client->fd, client->bytes, sizeof(client->bytes), 0);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct client *client = userdata;
	bool is_there;

	if (client->is_over)
		is_there = read_rest(client);
	else if (client->is_answering)
		is_there = write_answer(client);
	else
		is_there = read_request(client);
	if (!is_there)
		drop(client);
	return 0;
}

/* ---- Clients ---- */

/* Clients whose user is not found count as one user. */
static uid_t find_user(int fd)
{
	uid_t uid;

	return us_peer_owner(fd, &uid) == 0 ? uid : (uid_t)-1;
}

static bool has_place(const struct us_metrics_server *server, uid_t uid)
{
	const struct client *client;
	unsigned same = 0;

	us_list_for_each (client, &server->clients, link)
		same += client->uid == uid;
	return server->count < CLIENTS_MAX && (uid == 0 || same < CLIENTS_OF_USER);
}

/* Takes @fd. */
static void welcome(struct us_metrics_server *server, int fd)
{
	struct client *client = NULL;
	sd_event *loop = server->metrics->loop;
	uid_t uid = find_user(fd);

	if (has_place(server, uid))
		client = calloc(1, sizeof(*client));
	if (!client) {
		us_close(fd);
		return;
	}
	client->server = server;
	client->fd = fd;
	client->uid = uid;
	us_list_append(&server->clients, &client->link);
	server->count++;
	if (us_timer_init(&client->deadline, loop, on_deadline, client) < 0 ||
	    sd_event_add_io(loop, &client->io, fd, EPOLLIN, on_io, client) < 0) {
		drop(client);
		return;
	}
	sd_event_source_set_priority(client->io, US_PRIORITY_READING);
	us_timer_set(&client->deadline, us_now_usec() + US_METRICS_READ_USEC);
}

static void on_rested(void *userdata)
{
	sd_event_source_set_enabled(((struct us_metrics_server *)userdata)->listening, SD_EVENT_ON);
}

static int on_connect(sd_event_source *source, int listening_fd, uint32_t events, void *userdata)
{
	struct us_metrics_server *server = userdata;
	int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(server, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		us_timer_set(&server->resting, us_now_usec() + REST_USEC);
	}
	return 0;
}

/* ---- The socket ---- */

static bool is_local(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	switch (address->ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	default:
		return false;
	}
}

/* "127.0.0.1:9177", "[::1]:9177"; no name, because its address could change. */
static int parse(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	bool is_v6 = text[0] == '[' && length > 2 && text[length - 1] == ']';
	char host[INET6_ADDRSTRLEN + 1];
	unsigned port;
	int end = 0;

	if (!colon || length >= sizeof(host) || sscanf(colon + 1, "%5u%n", &port, &end) != 1 ||
	    colon[1 + end] || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)length - 2 * is_v6, text + is_v6);
	*ret_address = (struct sockaddr_storage){ .ss_family = is_v6 ? AF_INET6 : AF_INET };
	if (is_v6) {
		v6->sin6_port = htons(port);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	v4->sin_port = htons(port);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

static int refuse_address(const char *address, struct us_reason *reason)
{
	us_refuse(reason, "--metrics %s: not served", address);
	return us_advise(reason, "give unix:PATH, 127.0.0.1:PORT or [::1]:PORT");
}

static int listen_inet(struct us_metrics_server *server, const char *text)
{
	struct sockaddr_storage address;
	int on = 1;

	if (parse(text, &address) < 0 || !is_local(&address))
		return US_REFUSED;
	server->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* After a restart, connections of the last daemon may still be ending. */
	if (server->fd < 0 ||
	    setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(server->fd, CLIENTS_MAX) < 0)
		return -errno;
	return 0;
}

static int open_address(struct us_metrics_server *server, const char *address,
			struct us_reason *reason)
{
	int r;

	if (strncmp(address, "unix:/", 6) == 0) {
		r = us_listen_unix(address + 5, &server->fd, reason);
		if (r == 0)
			server->path = strdup(address + 5);
		if (r == US_REFUSED)
			return r;
	} else {
		r = listen_inet(server, address);
		if (r == US_REFUSED)
			return refuse_address(address, reason);
	}
	if (r < 0)
		return us_refuse(reason, "--metrics %s: cannot listen there: %s", address,
				 us_strerror(r));
	return 0;
}

/* A socket of the service manager. */
static int open_fd(struct us_metrics_server *server, struct us_reason *reason)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int flags = fcntl(server->fd, F_GETFL);

	if (flags < 0 || fcntl(server->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getsockname(server->fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	return is_local(&address) ? 0 : refuse_address("(the socket unit's address)", reason);
}

int us_metrics_serve(struct us_metrics *metrics, const char *address, int fd,
		     struct us_reason *reason)
{
	US_CLEANUP(us_metrics_server_freep)
	struct us_metrics_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		us_close(fd);
		return -ENOMEM;
	}
	server->metrics = metrics;
	server->fd = fd;
	us_list_init(&server->clients);
	r = address ? open_address(server, address, reason) : open_fd(server, reason);
	if (r == 0)
		r = us_timer_init(&server->resting, metrics->loop, on_rested, server);
	if (r == 0)
		r = sd_event_add_io(metrics->loop, &server->listening, server->fd, EPOLLIN,
				    on_connect, server);
	if (r != 0)
		return r;
	sd_event_source_set_priority(server->listening, US_PRIORITY_READING);
	metrics->server = US_STEAL(server);
	return 0;
}

void us_metrics_server_free(struct us_metrics_server *server)
{
	struct client *client;

	if (!server)
		return;
	us_list_for_each (client, &server->clients, link)
		drop(client);
	sd_event_source_disable_unref(server->listening);
	us_timer_deinit(&server->resting);
	us_close(server->fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	free(server);
}
