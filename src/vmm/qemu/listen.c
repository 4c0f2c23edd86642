/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening for a migration, at its destination.
 *
 * Once QEMU listens it cannot stop, neither by a command nor by itself, until a connection has come
 * (qmp_migrate_incoming() and socket_accept_incoming_migration() in its migration/). So Understudy
 * listens in its place and gives it the first connection (`getfd`, then `migrate-incoming fd:`). A
 * migration that is called off closes the listener and leaves QEMU as it was. QEMU itself listens
 * where a migration needs several connections.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "vmm/qemu/decode-settings.h"
#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"

#define FD_NAME "understudy-migration"

/* A request under way. */
struct listening {
	struct us_qemu_request request;
	char address[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	bool qemu_listens; /* it was asked to listen itself */
};

static void finish(struct listening *listening, int r, const struct us_reason *reason,
		   const char *uri)
{
	struct us_qemu_request *request = &listening->request;

	if (us_qemu_request_is_wanted(request))
		request->done.listening(request->userdata, r, reason, uri);
	us_qemu_request_free(request);
}

/* If @reason is NULL, the words for @r are the reason. */
static void fail(struct listening *listening, int r, const struct us_reason *reason)
{
	struct us_reason words;

	us_refuse(&words, "%s", us_strerror(r));
	finish(listening, r, reason ? reason : &words, NULL);
}

/* ---- One connection: Understudy listens ---- */

/* A connection that is being given to QEMU. */
struct giving {
	struct us_vmm *vmm;
	unsigned closings; /* how often the listener had been closed when it came */
};

/* Whether its migration was given up since; another one may be under way. */
static bool is_called_off(const struct giving *giving)
{
	return giving->closings != giving->vmm->closings;
}

static void incoming_failed(struct us_vmm *vmm, const struct us_reason *reason)
{
	us_qemu_emit(vmm,
		     (struct us_vmm_event){ .type = US_VMM_INCOMING_FAILED, .reason = reason });
}

/* The source must see that its connection is closed. */
static void take_back(struct us_vmm *vmm)
{
	us_qmp_call(vmm->qmp, NULL, vmm, "closefd", "{s:s}", "fdname", FD_NAME);
}

static void end(struct giving *giving, int r, const struct us_reason *reason)
{
	struct us_vmm *vmm = giving->vmm;

	us_qemu_ref(vmm);
	/* -ECONNRESET: US_VMM_LOST reports it. */
	if (r != 0 && r != -ECONNRESET && !is_called_off(giving))
		incoming_failed(vmm, reason);
	free(giving);
	us_qemu_unref(vmm);
}

static void on_given(void *userdata, const struct us_qmp_answer *answer)
{
	struct giving *giving = userdata;

	if (answer->r != 0 && answer->r != -ECONNRESET)
		take_back(giving->vmm);
	end(giving, answer->r, answer->reason);
}

static void on_got(void *userdata, const struct us_qmp_answer *answer)
{
	struct giving *giving = userdata;
	struct us_reason reason;
	int r = answer->r;

	if (r == 0 && is_called_off(giving)) {
		take_back(giving->vmm);
		end(giving, 0, NULL);
		return;
	}
	if (r == 0)
		r = us_qmp_call(giving->vmm->qmp, on_given, giving, "migrate-incoming", "{s:s}",
				"uri", "fd:" FD_NAME);
	us_refuse(&reason, "%s", us_strerror(r));
	if (r != 0)
		end(giving, r, answer->r ? answer->reason : &reason);
}

static void give(struct us_vmm *vmm, int fd)
{
	struct giving *giving = malloc(sizeof(*giving));
	struct us_reason reason;
	int r = -ENOMEM;

	if (giving) {
		*giving = (struct giving){ vmm, vmm->closings };
		r = us_qmp_call_with(vmm->qmp, US_QMP_COMMAND_USEC, fd, on_got, giving, "getfd",
				     "{s:s}", "fdname", FD_NAME);
	}
	if (r < 0) {
		us_refuse(&reason, "%s", us_strerror(r));
		incoming_failed(vmm, &reason);
		free(giving);
	}
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct us_vmm *vmm = userdata;
	US_CLEANUP(us_closep) int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (connection < 0) /* the peer closed it already */
		return 0;
	us_qemu_ref(vmm);
	us_vmm_stop_listening(vmm);
	if (vmm->adopted)
		give(vmm, connection);
	us_qemu_unref(vmm);
	return 0;
}

void us_vmm_stop_listening(struct us_vmm *vmm)
{
	vmm->connecting = sd_event_source_disable_unref(vmm->connecting);
	vmm->listen_fd = us_close(vmm->listen_fd);
	vmm->closings++;
}

static int open_socket(const char *address, int *ret_fd)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	US_CLEANUP(us_closep) int fd = -1;
	struct addrinfo *found;
	int r = 0;

	if (getaddrinfo(address, "0", &hints, &found) != 0)
		return -EINVAL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 1) < 0)
		r = -errno;
	freeaddrinfo(found);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* The address of a listening socket: "tcp:127.0.0.1:49152" */
static int uri_of(int fd, char *ret_uri, size_t size)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1], port[8];
	int n;

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	if (getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -EINVAL;
	n = snprintf(ret_uri, size, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
	return n > 0 && (size_t)n < size ? 0 : -ENOBUFS;
}

static void listen_for_qemu(struct listening *listening)
{
	struct us_vmm *vmm = listening->request.vmm;
	struct us_reason reason;
	char uri[128];
	int r = vmm->adopted ? open_socket(listening->address, &vmm->listen_fd) : -ENOTCONN;

	if (r == 0)
		r = sd_event_add_io(vmm->loop, &vmm->connecting, vmm->listen_fd, EPOLLIN,
				    on_connection, vmm);
	if (r >= 0)
		r = uri_of(vmm->listen_fd, uri, sizeof(uri));
	if (r < 0) {
		us_vmm_stop_listening(vmm);
		us_refuse(&reason, "cannot listen at %s for a migration: %s", listening->address,
			  us_strerror(r));
		us_advise(&reason, "name an address of this host");
		fail(listening, US_REFUSED, &reason);
		return;
	}
	finish(listening, 0, NULL, uri);
}

/* ---- Several connections: QEMU listens ---- */

static int ask_where(struct listening *listening);

static void on_incoming(void *userdata, const struct us_qmp_answer *answer)
{
	struct listening *listening = userdata;
	int r = answer->r ? answer->r : ask_where(listening);

	if (r)
		fail(listening, r, answer->reason);
}

static int make_qemu_listen(struct listening *listening)
{
	char uri[sizeof(listening->address) + 16];

	snprintf(uri, sizeof(uri), strchr(listening->address, ':') ? "tcp:[%s]:0" : "tcp:%s:0",
		 listening->address);
	listening->qemu_listens = true;
	return us_qmp_call(listening->request.vmm->qmp, on_incoming, listening, "migrate-incoming",
			   "{s:s}", "uri", uri);
}

static void on_capabilities(void *userdata, const struct us_qmp_answer *answer)
{
	struct listening *listening = userdata;
	int r = answer->r;

	if (r == 0 && !us_qemu_decode_needs_connections(answer->value)) {
		listen_for_qemu(listening);
		return;
	}
	if (r == 0)
		r = make_qemu_listen(listening);
	if (r)
		fail(listening, r, answer->reason);
}

static void on_address(void *userdata, const struct us_qmp_answer *answer)
{
	struct listening *listening = userdata;
	struct us_reason reason;
	char uri[128];
	int r = answer->r;

	if (r) {
		fail(listening, r, answer->reason);
		return;
	}
	r = us_qemu_decode_listen_uri(answer->value, uri, sizeof(uri));
	if (listening->qemu_listens && r == 0) {
		finish(listening, 0, NULL, uri);
	} else if (listening->qemu_listens) {
		us_refuse(&reason, "QEMU does not tell where it listens for a migration");
		fail(listening, r, &reason);
	} else if (r == 0) {
		us_refuse(&reason,
			  "its QEMU listens at %s already, for a migration that was given up, and "
			  "cannot stop",
			  uri);
		us_advise(&reason, "end it, and start the VM with -incoming defer again");
		fail(listening, US_REFUSED, &reason);
	} else {
		r = us_qmp_call(listening->request.vmm->qmp, on_capabilities, listening,
				"query-migrate-capabilities", NULL);
		if (r)
			fail(listening, r, NULL);
	}
}

static int ask_where(struct listening *listening)
{
	return us_qmp_call(listening->request.vmm->qmp, on_address, listening, "query-migrate",
			   NULL);
}

int us_vmm_listen_transfer(struct us_vmm *vmm, const char *address, us_vmm_listen_fn done,
			   void *userdata)
{
	int r;
	struct listening *listening =
		us_qemu_request_new(vmm, NULL, sizeof(*listening), done, userdata, &r);

	if (!listening)
		return r;
	us_vmm_stop_listening(vmm);
	if ((size_t)snprintf(listening->address, sizeof(listening->address), "%s", address) >=
	    sizeof(listening->address))
		r = -EINVAL;
	else
		r = ask_where(listening);
	return us_qemu_request_made(&listening->request, r);
}
