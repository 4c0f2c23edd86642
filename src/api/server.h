/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server side of the control API: a Varlink service on a Unix socket, on an sd-event loop.
 * https://varlink.org/Method-Call; the server answers org.varlink.service itself.
 *
 * The server checks every call against the interface file before the daemon sees it. A missing
 * member, a wrong type, or an unknown member (except for US_METHOD_BETWEEN_DAEMONS) is answered
 * with org.varlink.service.InvalidParameter. A client that breaks the protocol, exceeds a limit, or
 * does not read loses its connection; other clients are not affected.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_server;
struct us_call; /* one method call, until its last answer */

enum us_method_access {
	US_METHOD_CHANGES = 1 << 0,  /* only for root and the group `understudy` */
	US_METHOD_FOR_PEER = 1 << 1, /* also for another host's daemon: us_call_become_peer() */
	/* A guest's arrival waits for this method: its connection is served before those of
	 * clients. Unknown members are ignored, because another version of the daemon must not fail
	 * in the middle of a migration. */
	US_METHOD_BETWEEN_DAEMONS = 1 << 2,
};

struct us_method {
	const char *name; /* without the interface: "AttachVm" */
	unsigned access;  /* enum us_method_access */
	/* @parameters is borrowed for the call. Must answer exactly once, now or later, with
	 * us_call_reply(), us_call_fail() or us_call_fail_with(); before that any number of times
	 * with us_call_continue() if us_call_wants_more(). */
	void (*handle)(void *userdata, struct us_call *call, const json_t *parameters);
};

/*
 * Listens on @path (mode 0666, in a directory that the caller made; peer credentials give the
 * permission), or on @fd >= 0 from socket activation (taken). @methods ends with a NULL name.
 * Returns 0, US_REFUSED or a negative errno.
 */
int us_server_new(struct us_server **ret_server, sd_event *loop, const char *path, int fd,
		  const struct us_method *methods, void *userdata, struct us_reason *reason);
/* Ends all connections; every call is gone. Not to be called from inside a callback. */
void us_server_free(struct us_server *server);
US_DEFINE_CLEANUP(struct us_server *, us_server_free)

/* Since the server was made. */
struct us_server_counts {
	size_t connected;  /* clients, at present */
	uint64_t accepted; /* clients */
	uint64_t refused;  /* clients beyond a limit, or that could not be served */
	uint64_t dropped;  /* clients whose connection the server ended */
	uint64_t calls;	   /* begun */
};
const struct us_server_counts *us_server_counts(const struct us_server *server);

/*
 * Reports, for the log, why the server ended or refused a connection: @reason is one line without
 * the client's name. A client that leaves by itself is not reported. @pid 0: no descriptor is left
 * for a new client, which waits.
 */
typedef void (*us_server_dropped_fn)(void *userdata, pid_t pid, uid_t uid, const char *reason);
void us_server_on_drop(struct us_server *server, us_server_dropped_fn dropped);

/* These steal @parameters (NULL: {}). After the last answer the call is gone. */
void us_call_reply(struct us_call *call, json_t *parameters);
void us_call_continue(struct us_call *call, json_t *parameters);
/* @error is an error of the interface without the interface's name: "NoSuchPair". */
void us_call_fail(struct us_call *call, const char *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with the text and the next step of @reason; @r < 0: with the words for that errno. */
void us_call_fail_with(struct us_call *call, const char *error, int r,
		       const struct us_reason *reason);

bool us_call_wants_more(const struct us_call *call);

/*
 * From now on, and irrevocably, the connection of this call may only begin methods with
 * US_METHOD_FOR_PEER (and those of org.varlink.service). It gets no new right.
 */
void us_call_become_peer(struct us_call *call);
bool us_call_is_peer(const struct us_call *call);

/* The user of the client. */
uid_t us_call_uid(const struct us_call *call);

enum {
	US_ADDRESS_TEXT = 64, /* of an IP address, with its NUL */
};

/*
 * The address of this host at which another host reached it over this connection, as reported by
 * the carrier of the connection on this host (`understudy proxy`), or NULL. @address is copied.
 */
const char *us_call_address(const struct us_call *call);
void us_call_set_address(struct us_call *call, const char *address);

/* Bytes that this client has not read yet: a subscriber loses events rather than its connection. */
size_t us_call_backlog(const struct us_call *call);

/*
 * Calls @gone if the client goes away before the last answer; the call is invalid when @gone
 * returns. Without it such calls vanish silently, so an owner that keeps a call must set this.
 */
void us_call_on_gone(struct us_call *call, void (*gone)(void *userdata, struct us_call *call),
		     void *userdata);
