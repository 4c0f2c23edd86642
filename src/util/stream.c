/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All streams of the process share one read buffer; a stream has a buffer of its own only while a
 * message is incomplete or its peer does not read. `closed` is always called from the loop, never
 * from a call of the user.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "util/clock.h"
#include "util/priority.h"
#include "util/running.h"
#include "util/stream.h"
#include "util/time-share.h"

enum {
	READ_BYTES = 16 * 1024,
	/* in a turn: a peer that never stops sending must leave time for others */
	READS_PER_WAKEUP = 4,
};

/* Bytes in order; without bytes there is no memory. */
struct buffer {
	char *data;
	size_t start, end, size;
};

struct us_stream {
	sd_event_source *io;
	sd_event_source *again; /* is_client: armed while whole messages are in `in` */
	int64_t priority;
	struct us_time_share share; /* of a peer with US_PRIORITY_HOST */
	int fd;
	char delimiter;
	bool dispatching : 1; /* a handler is on the stack */
	bool freed : 1;	      /* us_stream_free() was called meanwhile */
	bool finishing : 1;
	bool deaf : 1; /* the peer reads no more; its last messages are still to be read */
	bool over : 1; /* the stream has ended; `closed` is or will be called */
	bool is_client : 1;
	bool has_more : 1; /* is_client: a whole message is in `in` */
	int error;
	struct us_stream_limits limits;
	struct buffer in, out;
	const struct us_stream_handler *handler;
	void *userdata;
};

static void buffer_clear(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

static int buffer_append(struct buffer *buffer, const char *data, size_t length)
{
	if (length == 0)
		return 0;
	if (buffer->start > 0) {
		memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
		buffer->end -= buffer->start;
		buffer->start = 0;
	}
	if (buffer->end + length > buffer->size) {
		size_t size = buffer->end + length;
		char *grown;

		if (size < 2 * buffer->size)
			size = 2 * buffer->size;
		grown = realloc(buffer->data, size);
		if (!grown)
			return -ENOMEM;
		buffer->data = grown;
		buffer->size = size;
	}
	memcpy(buffer->data + buffer->end, data, length);
	buffer->end += length;
	return 0;
}

static void destroy(struct us_stream *stream)
{
	sd_event_source_disable_unref(stream->io);
	sd_event_source_disable_unref(stream->again);
	us_time_share_deinit(&stream->share);
	us_close(stream->fd);
	buffer_clear(&stream->in);
	buffer_clear(&stream->out);
	free(stream);
}

void us_stream_free(struct us_stream *stream)
{
	if (!stream)
		return;
	if (stream->dispatching)
		stream->freed = true;
	else
		destroy(stream);
}

/*
 * Ends the stream. `closed` is called from the loop: a socket that was shut down is always ready to
 * be read.
 */
static void end(struct us_stream *stream, int error)
{
	if (stream->over)
		return;
	stream->over = true;
	stream->error = error;
	shutdown(stream->fd, SHUT_RDWR);
}

/* Whether the peer must read its answers before its next message is handled. */
static bool is_waiting(const struct us_stream *stream)
{
	return stream->is_client && us_stream_backlog(stream) > 0;
}

static int64_t priority_of(const struct us_stream *stream)
{
	return stream->share.is_late ? US_PRIORITY_READING : stream->priority;
}

static void apply_priority(void *userdata)
{
	struct us_stream *stream = userdata;

	sd_event_source_set_priority(stream->io, priority_of(stream));
	if (stream->again)
		sd_event_source_set_priority(stream->again, priority_of(stream));
}

static int on_again(sd_event_source *source, void *userdata);

/* Arms the sources that wake the stream next. Without memory for them, the stream ends. */
static void want(struct us_stream *stream)
{
	uint32_t wanted = us_stream_backlog(stream) > 0 ? EPOLLOUT : 0;
	bool again = stream->has_more && !is_waiting(stream) && !stream->over;
	int r = 0;

	if (stream->over)
		wanted = EPOLLIN;
	else if (!stream->has_more && !is_waiting(stream))
		wanted |= EPOLLIN;
	sd_event_source_set_io_events(stream->io, wanted); /* no system call without a change */
	/* The source is made anew each time, because the loop orders sources of one priority by
	 * their age. */
	stream->again = sd_event_source_disable_unref(stream->again);
	if (again)
		r = sd_event_add_defer(sd_event_source_get_event(stream->io), &stream->again,
				       on_again, stream);
	if (r < 0)
		end(stream, r);
	else if (stream->again)
		sd_event_source_set_priority(stream->again, priority_of(stream));
}

/* The peer reads no more. Reading finds its last messages, and then the end of the stream. */
static void become_deaf(struct us_stream *stream)
{
	stream->deaf = true;
	buffer_clear(&stream->out);
	if (stream->finishing)
		end(stream, 0);
}

static void flush(struct us_stream *stream)
{
	struct buffer *out = &stream->out;

	while (out->start < out->end) {
		ssize_t n = send(stream->fd, out->data + out->start, out->end - out->start,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			become_deaf(stream);
			return;
		}
		if (n < 0) {
			end(stream, -errno);
			return;
		}
		out->start += n;
	}
	buffer_clear(out);
	if (stream->finishing)
		end(stream, 0);
}

/* Handles the whole messages in @data; of a client, the first one. Returns their bytes. */
static size_t deliver(struct us_stream *stream, char *data, size_t length)
{
	size_t used = 0;

	while (!stream->freed && !stream->over) {
		char *stop = memchr(data + used, stream->delimiter, length - used);
		size_t size = stop ? (size_t)(stop - data) - used : 0;

		if (!stop)
			break;
		if (size > stream->limits.message_bytes) {
			end(stream, -EMSGSIZE);
			break;
		}
		*stop = '\0';
		if (stream->delimiter != '\0' && memchr(data + used, '\0', size)) {
			end(stream, -EBADMSG);
			break;
		}
		stream->handler->message(stream->userdata, data + used, size);
		used += size + 1;
		if (stream->is_client)
			break;
	}
	return used;
}

/* The rest waits: for more bytes, or (@maybe: it has a whole message) for the loop's next turn. */
static void settle(struct us_stream *stream, bool maybe)
{
	struct buffer *in = &stream->in;
	size_t left = in->end - in->start;

	stream->has_more = stream->is_client && maybe && left > 0 &&
			   memchr(in->data + in->start, stream->delimiter, left);
	if (!stream->has_more && left > stream->limits.message_bytes)
		end(stream, -EMSGSIZE);
	if (left == 0)
		buffer_clear(in);
}

static void receive(struct us_stream *stream, char *data, size_t length)
{
	struct buffer *in = &stream->in;
	/* Only new bytes can have a delimiter: buffered bytes are not searched again. */
	bool complete = memchr(data, stream->delimiter, length);
	int r = 0;

	if (in->end == in->start) {
		/* The usual case: whole messages, handled in the read buffer. */
		size_t used = deliver(stream, data, length);

		r = buffer_append(in, data + used, length - used);
	} else {
		r = buffer_append(in, data, length);
		if (r == 0 && complete)
			in->start += deliver(stream, in->data + in->start, in->end - in->start);
	}
	if (r < 0)
		end(stream, r);
	else
		settle(stream, complete);
}

/* The next message of a client that sent several at once. */
static void go_on(struct us_stream *stream)
{
	struct buffer *in = &stream->in;

	in->start += deliver(stream, in->data + in->start, in->end - in->start);
	settle(stream, true);
}

/* All streams share the buffer: messages are handled before the next read. */
static void read_socket(struct us_stream *stream)
{
	static char data[READ_BYTES];
	int reads = stream->is_client ? 1 : READS_PER_WAKEUP;

	for (int i = 0; i < reads && !stream->freed && !stream->over; i++) {
		ssize_t n = recv(stream->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			end(stream, n < 0 ? -errno : 0);
		else
			receive(stream, data, n);
		if (n < (ssize_t)sizeof(data))
			break;
	}
}

/* One turn of the loop; frees the stream if a handler has freed it. */
static void take_turn(struct us_stream *stream, bool can_write)
{
	uint64_t since = us_clock_usec(CLOCK_THREAD_CPUTIME_ID);

	us_running = (struct us_running){ "message", (const void *)stream->handler->message };
	stream->dispatching = true;
	if (stream->over) {
		sd_event_source_set_enabled(stream->io, SD_EVENT_OFF);
		stream->handler->closed(stream->userdata, stream->error);
	} else {
		if (can_write)
			flush(stream);
		if (stream->has_more && !is_waiting(stream))
			go_on(stream);
		else if (!stream->has_more && !is_waiting(stream))
			read_socket(stream);
	}
	stream->dispatching = false;
	if (stream->freed) {
		destroy(stream);
		return;
	}
	want(stream);
	if (stream->priority == US_PRIORITY_HOST)
		us_time_share_account(&stream->share, sd_event_source_get_event(stream->io),
				      us_clock_usec(CLOCK_THREAD_CPUTIME_ID) - since);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	/* Writing finds a peer that is gone, even while its messages are not read. */
	take_turn(userdata, events & (EPOLLOUT | EPOLLHUP | EPOLLERR));
	return 0;
}

static int on_again(sd_event_source *source, void *userdata)
{
	take_turn(userdata, false);
	return 0;
}

int us_stream_new(struct us_stream **ret_stream, sd_event *loop, int fd, char delimiter,
		  struct us_stream_limits limits, const struct us_stream_handler *handler,
		  void *userdata)
{
	struct us_stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream) {
		us_close(fd);
		return -ENOMEM;
	}
	*stream = (struct us_stream){
		.fd = fd,
		.delimiter = delimiter,
		.limits = limits,
		.handler = handler,
		.userdata = userdata,
		.share = { .changed = apply_priority, .userdata = stream },
	};
	r = sd_event_add_io(loop, &stream->io, fd, EPOLLIN, on_io, stream);
	if (r < 0) {
		destroy(stream);
		return r;
	}
	*ret_stream = stream;
	return 0;
}

void us_stream_set_client(struct us_stream *stream, int64_t priority)
{
	stream->is_client = true;
	stream->priority = priority;
	apply_priority(stream);
}

/* Space for one descriptor that goes with a message, with the alignment of its header. */
union rights {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *message, union rights *rights, int fd)
{
	message->msg_control = rights->bytes;
	message->msg_controllen = sizeof(rights->bytes);
	rights->header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(fd)),
	};
	memcpy(CMSG_DATA(&rights->header), &fd, sizeof(fd));
}

/* Writes the bytes that the socket takes at once; returns their number. */
static size_t send_now(struct us_stream *stream, const char *text, size_t length, int fd)
{
	struct iovec parts[] = {
		{ .iov_base = (void *)text, .iov_len = length },
		{ .iov_base = &stream->delimiter, .iov_len = 1 },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	union rights rights = { 0 };
	ssize_t n;

	if (fd >= 0)
		attach(&message, &rights, fd);
	n = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n > 0 ? n : 0; /* an error occurs again when the rest is written */
}

int us_stream_send_fd(struct us_stream *stream, const char *text, size_t length, int fd)
{
	bool idle = stream->out.start == stream->out.end;
	size_t sent = 0;
	int r;

	if (stream->over || stream->finishing || stream->deaf)
		return -EPIPE;
	if (us_stream_backlog(stream) + length + 1 > stream->limits.backlog_bytes) {
		end(stream, -ENOBUFS);
		return -ENOBUFS;
	}
	if (idle)
		sent = send_now(stream, text, length, fd);
	if (sent > length)
		return 0;
	if (sent == 0 && fd >= 0) /* the descriptor goes with the first byte, or not at all */
		return -EAGAIN;
	r = buffer_append(&stream->out, text + sent, length - sent);
	if (r == 0)
		r = buffer_append(&stream->out, &stream->delimiter, 1);
	if (r < 0) {
		end(stream, r);
		return r;
	}
	if (idle)
		flush(stream);
	want(stream);
	return 0;
}

int us_stream_send(struct us_stream *stream, const char *text, size_t length)
{
	return us_stream_send_fd(stream, text, length, -1);
}

size_t us_stream_backlog(const struct us_stream *stream)
{
	return stream->out.end - stream->out.start;
}

void us_stream_finish(struct us_stream *stream)
{
	stream->finishing = true;
	if (us_stream_backlog(stream) == 0)
		end(stream, 0);
}
