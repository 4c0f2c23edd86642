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
	LINE_BYTES_MAX = 4096,
};

static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;

void us_lv_control_send(json_t *report)
{
	char *text = report ? json_dumps(report, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	ssize_t sent = 0;

	json_decref(report);
	if (!text)
		return;
	text[length++] = '\n';
	pthread_mutex_lock(&sending);
	for (size_t at = 0; at < length && sent >= 0; at += sent)
		sent = send(CONTROL_FD, text + at, length - at, MSG_NOSIGNAL);
	pthread_mutex_unlock(&sending);
	free(text);
}

static void handle(const char *line, int fd, void (*open)(const char *domain, int fd))
{
	json_t *message = json_loads(line, 0, NULL);
	const char *domain = json_string_value(json_object_get(message, "open"));

	if (domain && fd >= 0)
		open(domain, fd);
	else
		us_close(fd);
	json_decref(message);
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

/*
 * Every line comes with one descriptor, and recvmsg(2) does not read beyond the bytes that it came
 * with: a read ends with the line of the descriptor that it returns.
 */
void us_lv_control_run(void (*open)(const char *domain, int fd))
{
	char line[LINE_BYTES_MAX];
	size_t length = 0;
	int fd = -1, next;
	ssize_t n;

	while (length < sizeof(line) &&
	       (n = receive(line + length, sizeof(line) - length, &next)) > 0) {
		if (next >= 0) {
			us_close(fd);
			fd = next;
		}
		length += n;
		if (line[length - 1] != '\n')
			continue;
		line[length - 1] = '\0';
		handle(line, fd, open);
		fd = -1;
		length = 0;
	}
	us_close(fd);
}
