/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metrics over HTTP (RFC 9112), for a scraper: one request, one answer, and the end of the
 * connection is the end of the text. What a client can make us hold is bounded: so many clients,
 * the head of a request, one piece of the text, and ten seconds.
 *
 * Listens only where this host alone can connect: there is no secret in it, and no permission.
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
	CLIENTS_OF_USER = 4, /* other than root */
	HEAD_BYTES = 8 * 1024,
	REST_USEC = 200 * 1000, /* out of descriptors */
};

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct us_metrics_server {
	struct us_metrics *metrics;
	int fd;
	char *path; /* NULL unless the socket is ours to remove */
	sd_event_source *listening;
	struct us_timer resting; /* set while there is no descriptor left to accept with */
	struct us_list clients;
	unsigned count;
};

struct scraper {
	struct us_list link;
	struct us_metrics_server *scrape;
	int fd;
	uid_t uid;
	sd_event_source *io;
	struct us_timer deadline;
	struct us_metrics_reader *reader; /* NULL: nothing more is to be told */
	bool is_answering, is_over;	  /* told all: waits for the client to close */
	size_t length, sent;
	char bytes[US_METRICS_PIECE_BYTES]; /* the request's head, then the answer */
};

static void drop(struct scraper *scraper)
{
	us_list_remove(&scraper->link);
	scraper->scrape->count--;
	us_timer_deinit(&scraper->deadline);
	us_metrics_reader_free(scraper->reader);
	sd_event_source_disable_unref(scraper->io);
	us_close(scraper->fd);
	free(scraper);
}

static void on_deadline(void *userdata)
{
	drop(userdata);
}

/* ---- Answering ---- */

static void answer(struct scraper *scraper, const char *status, const char *type, const char *body)
{
	scraper->length = snprintf(scraper->bytes, sizeof(scraper->bytes),
				   "HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\n\r\n%s",
				   status, type, body);
	scraper->is_answering = true;
	sd_event_source_set_io_events(scraper->io, EPOLLOUT);
}

static void answer_metrics(struct scraper *scraper, bool with_body)
{
	int r = with_body ? us_metrics_reader_new(&scraper->reader, scraper->scrape->metrics,
						  scraper->uid)
			  : 0;

	if (r < 0)
		answer(scraper, "503 Service Unavailable", TEXT_TYPE, "try again later\n");
	else
		answer(scraper, "200 OK", METRICS_TYPE, "");
}

/* @head is a whole one, NUL-terminated. */
static void take_request(struct scraper *scraper, char *head)
{
	char *target, *version, *rest = NULL, *method;
	bool is_get;

	head[strcspn(head, "\r\n")] = '\0';
	method = strtok_r(head, " ", &rest);
	target = strtok_r(NULL, " ", &rest);
	version = strtok_r(NULL, " ", &rest);
	if (!version || strncmp(version, "HTTP/1.", 7) != 0 || *rest) {
		answer(scraper, "400 Bad Request", TEXT_TYPE, "this is no HTTP/1 request\n");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	is_get = strcmp(method, "GET") == 0;
	if (!is_get && strcmp(method, "HEAD") != 0)
		answer(scraper, "405 Method Not Allowed\r\nAllow: GET, HEAD", TEXT_TYPE,
		       "there is only GET\n");
	else if (strcmp(target, "/metrics") != 0)
		answer(scraper, "404 Not Found", TEXT_TYPE, "there is only /metrics\n");
	else
		answer_metrics(scraper, is_get);
}

/* Returns whether the client is still there. */
static bool read_request(struct scraper *scraper)
{
	char *bytes = scraper->bytes;
	ssize_t n = recv(scraper->fd, bytes + scraper->length, HEAD_BYTES - scraper->length, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	scraper->length += n;
	bytes[scraper->length] = '\0';
	if (strstr(bytes, "\r\n\r\n") || strstr(bytes, "\n\n"))
		take_request(scraper, bytes);
	else if (memchr(bytes, '\0', scraper->length))
		answer(scraper, "400 Bad Request", TEXT_TYPE, "this is no HTTP/1 request\n");
	else if (scraper->length == HEAD_BYTES)
		answer(scraper, "431 Request Header Fields Too Large", TEXT_TYPE,
		       "8 KiB are enough\n");
	return true;
}

/* One piece a turn of the loop. Returns whether the client is still there. */
static bool write_answer(struct scraper *scraper)
{
	ssize_t n;

	if (scraper->sent == scraper->length) {
		scraper->sent = 0;
		scraper->length = scraper->reader
					  ? us_metrics_reader_read(scraper->reader, scraper->bytes,
								   sizeof(scraper->bytes))
					  : 0;
	}
	if (scraper->length == 0) {
		/* What it sent and we did not read would take the answer away, if closed at once.
		 */
		scraper->is_over = true;
		shutdown(scraper->fd, SHUT_WR);
		sd_event_source_set_io_events(scraper->io, EPOLLIN);
		return true;
	}
	n = send(scraper->fd, scraper->bytes + scraper->sent, scraper->length - scraper->sent,
		 MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	scraper->sent += n;
	return true;
}

static bool read_rest(struct scraper *scraper)
{
	ssize_t n = recv(scraper->fd, scraper->bytes, sizeof(scraper->bytes), 0);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct scraper *scraper = userdata;
	bool is_there;

	if (scraper->is_over)
		is_there = read_rest(scraper);
	else if (scraper->is_answering)
		is_there = write_answer(scraper);
	else
		is_there = read_request(scraper);
	if (!is_there)
		drop(scraper);
	return 0;
}

/* ---- Clients ---- */

/* Those whose user cannot be found share what one has. */
static uid_t find_user(int fd)
{
	uid_t uid;

	return us_peer_owner(fd, &uid) == 0 ? uid : (uid_t)-1;
}

static bool has_place(const struct us_metrics_server *scrape, uid_t uid)
{
	const struct scraper *scraper;
	unsigned same = 0;

	us_list_for_each (scraper, &scrape->clients, link)
		same += scraper->uid == uid;
	return scrape->count < CLIENTS_MAX && (uid == 0 || same < CLIENTS_OF_USER);
}

/* Takes @fd. */
static void welcome(struct us_metrics_server *scrape, int fd)
{
	struct scraper *scraper = NULL;
	sd_event *loop = scrape->metrics->loop;
	uid_t uid = find_user(fd);

	if (has_place(scrape, uid))
		scraper = calloc(1, sizeof(*scraper));
	if (!scraper) {
		us_close(fd);
		return;
	}
	scraper->scrape = scrape;
	scraper->fd = fd;
	scraper->uid = uid;
	us_list_append(&scrape->clients, &scraper->link);
	scrape->count++;
	if (us_timer_init(&scraper->deadline, loop, on_deadline, scraper) < 0 ||
	    sd_event_add_io(loop, &scraper->io, fd, EPOLLIN, on_io, scraper) < 0) {
		drop(scraper);
		return;
	}
	sd_event_source_set_priority(scraper->io, US_PRIORITY_READING);
	us_timer_set(&scraper->deadline, us_now_usec() + US_METRICS_READ_USEC);
}

static void on_rested(void *userdata)
{
	sd_event_source_set_enabled(((struct us_metrics_server *)userdata)->listening, SD_EVENT_ON);
}

static int on_connect(sd_event_source *source, int listening_fd, uint32_t events, void *userdata)
{
	struct us_metrics_server *scrape = userdata;
	int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(scrape, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		us_timer_set(&scrape->resting, us_now_usec() + REST_USEC);
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

/* "127.0.0.1:9177", "[::1]:9177". No name: what it stands for could change. */
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
	return us_refuse(reason,
			 "--metrics %s: not served: give unix:PATH, 127.0.0.1:PORT or [::1]:PORT",
			 address);
}

static int listen_inet(struct us_metrics_server *scrape, const char *text)
{
	struct sockaddr_storage address;
	int on = 1;

	if (parse(text, &address) < 0 || !is_local(&address))
		return US_REFUSED;
	scrape->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A restart finds connections of its predecessor that are only just ending. */
	if (scrape->fd < 0 ||
	    setsockopt(scrape->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(scrape->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(scrape->fd, CLIENTS_MAX) < 0)
		return -errno;
	return 0;
}

static int open_address(struct us_metrics_server *scrape, const char *address,
			struct us_reason *reason)
{
	int r;

	if (strncmp(address, "unix:/", 6) == 0) {
		r = us_listen_unix(address + 5, &scrape->fd, reason);
		if (r == 0)
			scrape->path = strdup(address + 5);
		if (r == US_REFUSED)
			return r;
	} else {
		r = listen_inet(scrape, address);
		if (r == US_REFUSED)
			return refuse_address(address, reason);
	}
	if (r < 0)
		return us_refuse(reason, "--metrics %s: cannot listen there: %s", address,
				 us_strerror(r));
	return 0;
}

/* One that a service manager made. */
static int open_fd(struct us_metrics_server *scrape, struct us_reason *reason)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int flags = fcntl(scrape->fd, F_GETFL);

	if (flags < 0 || fcntl(scrape->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    getsockname(scrape->fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	return is_local(&address) ? 0 : refuse_address("(the socket unit's address)", reason);
}

int us_metrics_server_new(struct us_metrics_server **ret_scrape, struct us_metrics *metrics,
			  const char *address, int fd, struct us_reason *reason)
{
	US_CLEANUP(us_metrics_server_freep)
	struct us_metrics_server *scrape = calloc(1, sizeof(*scrape));
	int r;

	if (!scrape) {
		us_close(fd);
		return -ENOMEM;
	}
	scrape->metrics = metrics;
	scrape->fd = fd;
	us_list_init(&scrape->clients);
	r = address ? open_address(scrape, address, reason) : open_fd(scrape, reason);
	if (r == 0)
		r = us_timer_init(&scrape->resting, metrics->loop, on_rested, scrape);
	if (r == 0)
		r = sd_event_add_io(metrics->loop, &scrape->listening, scrape->fd, EPOLLIN,
				    on_connect, scrape);
	if (r != 0)
		return r;
	sd_event_source_set_priority(scrape->listening, US_PRIORITY_READING);
	*ret_scrape = US_STEAL(scrape);
	return 0;
}

void us_metrics_server_free(struct us_metrics_server *scrape)
{
	struct scraper *scraper;

	if (!scrape)
		return;
	us_list_for_each (scraper, &scrape->clients, link)
		drop(scraper);
	sd_event_source_disable_unref(scrape->listening);
	us_timer_deinit(&scrape->resting);
	us_close(scrape->fd);
	if (scrape->path)
		unlink(scrape->path);
	free(scrape->path);
	free(scrape);
}
