/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of delimited text messages over a socket, on an sd-event loop. QMP (newline) and
 * Varlink (NUL) are both such streams.
 *
 * Owns the descriptor and the bytes on their way. Never blocks, never reads ahead of what it
 * may hold: a message over the limit, a NUL inside a message, or a reader so slow that the
 * backlog is full ends this stream and nothing else. Holds no buffer while it is idle.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

struct us_stream;

struct us_stream_handler {
	/* One message, NUL-terminated in place of its delimiter; the text is the callee's to
	 * change and valid until it returns. */
	void (*message)(void *userdata, char *text, size_t length);
	/* The stream ended: @error is 0 when the peer closed, else a negative errno: -EMSGSIZE a
	 * message over the limit, -EBADMSG a NUL inside one, -ENOBUFS the peer does not read,
	 * or what the socket said. Called once, last; never from inside us_stream_send(). */
	void (*closed)(void *userdata, int error);
};

struct us_stream_limits {
	size_t message_bytes; /* longest message, either direction */
	size_t backlog_bytes; /* most that may wait for the peer to read */
};

/*
 * Takes @fd (a connected stream socket, made non-blocking here), also on failure. @loop,
 * @handler and @userdata are borrowed and must outlive the stream.
 */
int us_stream_new(struct us_stream **ret_stream, sd_event *loop, int fd, char delimiter,
		  struct us_stream_limits limits, const struct us_stream_handler *handler,
		  void *userdata);

/*
 * Makes the peer a client, whose messages come at @priority (util/priority.h): one in each turn of
 * the loop, and none as long as something waits for it to read; meanwhile they wait in the socket.
 * The messages of other peers come as fast as they are sent. At US_PRIORITY_HOST, as every stream
 * is that is not told otherwise, a peer has a fifth of the time; one that needs more goes on at
 * US_PRIORITY_READING. So do those that need most, if all of them together leave clients none.
 */
void us_stream_set_client(struct us_stream *stream, int64_t priority);

/* May be called from inside a handler; no handler is called afterwards. NULL is fine. */
void us_stream_free(struct us_stream *stream);
US_DEFINE_CLEANUP(struct us_stream *, us_stream_free)

/*
 * Queues one message and its delimiter, and writes what the socket takes at once. A stream
 * that cannot hold it ends (`closed` follows from the loop). A peer that closed is told of by
 * `closed` once all that it said before has been handed over. Returns 0, -ENOBUFS or -EPIPE.
 */
int us_stream_send(struct us_stream *stream, const char *text, size_t length);

/*
 * The same over a Unix socket, with a copy of @fd (SCM_RIGHTS, unix(7)), which stays the caller's.
 * -EAGAIN: not now, because the peer does not read; nothing was sent.
 */
int us_stream_send_fd(struct us_stream *stream, const char *text, size_t length, int fd);

/* Bytes that wait for the peer to read. */
size_t us_stream_backlog(const struct us_stream *stream);

/* Ends the stream once all that is queued has been written: `closed` follows with 0. */
void us_stream_finish(struct us_stream *stream);

/* The socket, borrowed: for SO_PEERCRED and the like. */
int us_stream_fd(const struct us_stream *stream);
