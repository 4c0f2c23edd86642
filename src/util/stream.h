/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of delimited text messages over a socket, on an sd-event loop. QMP (newline) and Varlink
 * (NUL) are such streams.
 *
 * Owns the descriptor and the buffered bytes. Never blocks, and never exceeds its limits: a message
 * over the limit, a NUL inside a message, or a full backlog of a slow reader ends this stream and
 * nothing else. An idle stream has no buffer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

struct us_stream;

struct us_stream_handler {
	/* One message, with a NUL in place of its delimiter. The handler may change the text,
	 * which is valid until it returns. */
	void (*message)(void *userdata, char *text, size_t length);
	/* The stream ended. @error is 0 if the peer closed it, else a negative errno: -EMSGSIZE
	 * (a message over the limit), -EBADMSG (a NUL inside a message), -ENOBUFS (the peer does
	 * not read), or an error of the socket. Called once, last, and from the loop. */
	void (*closed)(void *userdata, int error);
};

struct us_stream_limits {
	size_t message_bytes; /* the longest message, in either direction */
	size_t backlog_bytes; /* the most bytes that the peer has not read */
};

/*
 * Takes @fd, a connected stream socket, also on failure. @loop, @handler and @userdata are borrowed
 * and must outlive the stream. Returns 0 or a negative errno.
 */
int us_stream_new(struct us_stream **ret_stream, sd_event *loop, int fd, char delimiter,
		  struct us_stream_limits limits, const struct us_stream_handler *handler,
		  void *userdata);

/*
 * Makes the peer a client: the loop handles one of its messages in a turn, at @priority
 * (util/priority.h), and none while the peer has not read its answers; meanwhile they wait in the
 * socket. Without this call, messages are handled as fast as they arrive, at US_PRIORITY_HOST,
 * within the limits of util/time-share.h.
 */
void us_stream_set_client(struct us_stream *stream, int64_t priority);

/* May be called from inside a handler; no handler is called afterwards. NULL: no effect. */
void us_stream_free(struct us_stream *stream);

/*
 * Sends one message and its delimiter; buffers the bytes that the socket does not take at once. If
 * the backlog is full, the stream ends (`closed` follows from the loop). If the peer has closed,
 * `closed` follows after all messages that it sent before. Returns 0, -ENOBUFS or -EPIPE.
 */
int us_stream_send(struct us_stream *stream, const char *text, size_t length);

/*
 * The same over a Unix socket, with a copy of @fd (SCM_RIGHTS, unix(7)), which stays the caller's;
 * -1: no descriptor.
 * Returns also -EAGAIN: the peer does not read now, and nothing was sent.
 */
int us_stream_send_fd(struct us_stream *stream, const char *text, size_t length, int fd);

/* Buffered bytes that the peer has not read. */
size_t us_stream_backlog(const struct us_stream *stream);

/* Ends the stream when all buffered bytes are written: `closed` follows with 0. */
void us_stream_finish(struct us_stream *stream);
