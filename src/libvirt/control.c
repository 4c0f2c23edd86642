/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libvirt/control.h"
#include "util/cleanup.h"

enum {
	CONTROL_FD = STDIN_FILENO,
	LINE_BYTES_MAX = 16 * 1024,
};

static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;

void us_lv_control_send(json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	ssize_t sent = 0;

	json_decref(message);
	if (!text)
		return;
	text[length++] = '\n';
	pthread_mutex_lock(&sending);
	for (size_t at = 0; at < length && sent >= 0; at += sent)
		sent = send(CONTROL_FD, text + at, length - at, MSG_NOSIGNAL);
	pthread_mutex_unlock(&sending);
	free(text);
}

/* What was received and not handled. */
struct input {
	char bytes[LINE_BYTES_MAX];
	size_t length;
	int fds[2]; /* oldest first; -1: none */
};

/* A read ends with the bytes that a descriptor came with, so two can wait for their lines. */
static int take_fd(struct input *input)
{
	int fd = input->fds[0];

	input->fds[0] = input->fds[1];
	input->fds[1] = -1;
	return fd;
}

static void add_fd(struct input *input, int fd)
{
	if (input->fds[1] >= 0)
		us_close(fd);
	else
		input->fds[input->fds[0] < 0 ? 0 : 1] = fd;
}

/* Only the lines "open" come with a descriptor, one each. */
static void handle(struct input *input, const char *line,
		   const struct us_lv_control_handler *handler)
{
	json_t *message = json_loads(line, 0, NULL);
	const char *domain = json_string_value(json_object_get(message, "open"));
	int fd = domain ? take_fd(input) : -1;

	if (domain && fd >= 0)
		handler->open(domain, fd);
	else if (message && !domain)
		handler->request(json_incref(message));
	json_decref(message);
}

static void handle_lines(struct input *input, const struct us_lv_control_handler *handler)
{
	char *line = input->bytes, *end;
	size_t rest = input->length;

	while ((end = memchr(line, '\n', rest))) {
		*end++ = '\0';
		handle(input, line, handler);
		rest -= end - line;
		line = end;
	}
	memmove(input->bytes, line, rest);
	input->length = rest;
}

/* Receives into @buffer; *@ret_fd is the descriptor that came along, or -1. */
static ssize_t receive(char *buffer, size_t size, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { buffer, size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*ret_fd = -1;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return n;
}

void us_lv_control_run(const struct us_lv_control_handler *handler)
{
	struct input input = { .fds = { -1, -1 } };
	ssize_t n;
	int fd;

	while (input.length < sizeof(input.bytes) &&
	       (n = receive(input.bytes + input.length, sizeof(input.bytes) - input.length, &fd)) >
		       0) {
		if (fd >= 0)
			add_fd(&input, fd);
		input.length += n;
		handle_lines(&input, handler);
	}
	us_close(take_fd(&input));
	us_close(take_fd(&input));
}
