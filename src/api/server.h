/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server side of the control API: a Varlink service on a Unix socket, on an sd-event loop.
 * https://varlink.org/Method-Call; org.varlink.service is answered here.
 *
 * The server checks every call against the interface file before the daemon sees it: unknown
 * members (but of US_METHOD_BETWEEN_DAEMONS), missing ones and wrong types are answered with
 * org.varlink.service.InvalidParameter.
 * A client that breaks the protocol, sends too much, or does not read loses its connection; no
 * other client notices.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_server;
struct us_call; /* one method call, until it is answered for the last time */

enum us_method_access {
	US_METHOD_CHANGES = 1 << 0,  /* only for root and the group `understudy` */
	US_METHOD_FOR_PEER = 1 << 1, /* also for another host's daemon: us_call_become_peer() */
	/* What a guest's arrival waits for: its connection is served before those of clients, and
	 * members that the interface does not know are ignored, for a daemon of another version
	 * must not fail in the middle of a migration. */
	US_METHOD_BETWEEN_DAEMONS = 1 << 2,
};

struct us_method {
	const char *name; /* without the interface: "AttachVm" */
	unsigned access;  /* enum us_method_access */
	/* @parameters is borrowed for the call. Must answer, now or later, exactly once with
	 * us_call_reply() or us_call_fail(), before that any number of times with
	 * us_call_continue() if us_call_wants_more(). */
	void (*handle)(void *userdata, struct us_call *call, const json_t *parameters);
};

/*
 * Listens on @path (made 0666 below a directory that the caller made; permission is by peer
 * credentials), or on @fd >= 0 from socket activation (taken). @methods ends with a NULL name.
 */
int us_server_new(struct us_server **ret_server, sd_event *loop, const char *path, int fd,
		  const struct us_method *methods, void *userdata, struct us_reason *reason);
/* Drops the clients; every call is gone. Not to be called from inside a callback. */
void us_server_free(struct us_server *server);
US_DEFINE_CLEANUP(struct us_server *, us_server_free)

/* Clients connected now. */
size_t us_server_clients(const struct us_server *server);

/* Since the server was made. */
struct us_server_counts {
	uint64_t accepted; /* clients */
	uint64_t refused;  /* that found no place, or could not be served */
	uint64_t dropped;  /* that lost their connection for what they did */
	uint64_t calls;	   /* begun */
};
void us_server_counts(const struct us_server *server, struct us_server_counts *ret_counts);

/*
 * Tells why clients are dropped, for the log: @why is one line without the peer's name.
 * A client that goes away by itself is not told of. @pid 0: one cannot even be let in, and waits.
 */
typedef void (*us_server_dropped_fn)(void *userdata, pid_t pid, uid_t uid, const char *why);
void us_server_on_drop(struct us_server *server, us_server_dropped_fn dropped);

/* All three steal @parameters (NULL: {}). After the last answer the call is gone. */
void us_call_reply(struct us_call *call, json_t *parameters);
void us_call_continue(struct us_call *call, json_t *parameters);
/* @error is one of the interface's, without its name: "NoSuchPair". */
void us_call_fail(struct us_call *call, const char *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool us_call_wants_more(const struct us_call *call);

/*
 * From now on, and for good, the connection of this call may begin only what is for a peer (and
 * what org.varlink.service has). It gets no right that it did not have before.
 */
void us_call_become_peer(struct us_call *call);

/* Who calls. */
uid_t us_call_uid(const struct us_call *call);

enum {
	US_ADDRESS_TEXT = 64, /* of an IP address, with its NUL */
};

/*
 * At which address of this host the peer of this connection reached it, by the word of who carries
 * the connection on this host (`understudy proxy`); NULL if it told none. @address is copied.
 */
const char *us_call_address(const struct us_call *call);
void us_call_set_address(struct us_call *call, const char *address);

/* Bytes that this client has not read yet: a monitor drops events rather than lose the client. */
size_t us_call_backlog(const struct us_call *call);

/*
 * @gone is called if the client goes away before the last answer; the call is invalid when it
 * returns. Without it such calls just vanish, so whoever keeps a call must set this.
 */
void us_call_on_gone(struct us_call *call, void (*gone)(void *userdata, struct us_call *call),
		     void *userdata);
