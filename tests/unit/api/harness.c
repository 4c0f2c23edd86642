/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"
#include "util/clock.h"
#include "util/cleanup.h"
#include "util/unix-socket.h"

int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	assert_true(sd_event_new(&place->loop) >= 0);
	snprintf(place->directory, sizeof(place->directory), "/tmp/understudy-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	/* Others connect too. */
	assert_int_equal(chmod(place->directory, 0755), 0);
	snprintf(place->path, sizeof(place->path), "%s/control", place->directory);
	*state = place;
	return 0;
}

int place_teardown(void **state)
{
	struct place *place = *state;

	sd_event_unref(place->loop);
	unlink(place->path);
	assert_int_equal(rmdir(place->directory), 0);
	free(place);
	return 0;
}

void place_run(struct place *place, bool (*reached)(void *userdata), void *userdata)
{
	while (!reached(userdata))
		if (sd_event_run(place->loop, 10 * US_USEC_PER_SEC) <= 0)
			fail_msg("nothing happens any more");
}

static int on_child_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	*(bool *)userdata = true;
	return 0;
}

static bool is_true(void *userdata)
{
	return *(bool *)userdata;
}

int place_run_child(struct place *place, pid_t pid)
{
	sd_event_source *source = NULL;
	bool ended = false;
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int status;

	assert_true(pid > 0 && pidfd >= 0);
	assert_true(sd_event_add_io(place->loop, &source, pidfd, EPOLLIN, on_child_ended, &ended) >=
		    0);
	place_run(place, is_true, &ended);
	sd_event_source_disable_unref(source);
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct raw *raw = userdata;
	char data[16 * 1024];
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		raw->ended = true;
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	raw->data = realloc(raw->data, raw->length + n);
	assert_non_null(raw->data);
	memcpy(raw->data + raw->length, data, n);
	raw->length += n;
	return 0;
}

void raw_connect(struct raw *raw, struct place *place)
{
	*raw = (struct raw){ .place = place };
	assert_int_equal(us_connect_unix(place->path, &raw->fd), 0);
	assert_true(sd_event_add_io(place->loop, &raw->io, raw->fd, EPOLLIN, on_readable, raw) >=
		    0);
}

void raw_close(struct raw *raw)
{
	raw->io = sd_event_source_disable_unref(raw->io);
	raw->fd = us_close(raw->fd);
	free(raw->data);
	free(raw->message);
	raw->data = raw->message = NULL;
}

/* What the socket does not take at once goes when the server has read; a closed one is fine. */
void raw_send(struct raw *raw, const char *data, size_t length)
{
	while (length > 0 && !raw->ended) {
		ssize_t n = send(raw->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EPIPE)
			return;
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(sd_event_run(raw->place->loop, 10 * US_USEC_PER_SEC) > 0);
			continue;
		}
		data += n;
		length -= n;
	}
}

void raw_call(struct raw *raw, const char *text)
{
	raw_send(raw, text, strlen(text) + 1);
}

static bool has_message(void *userdata)
{
	struct raw *raw = userdata;

	return raw->ended || (raw->length > 0 && memchr(raw->data, '\0', raw->length));
}

const char *raw_receive(struct raw *raw)
{
	size_t length;

	place_run(raw->place, has_message, raw);
	assert_true(raw->length > 0);
	length = strlen(raw->data) + 1;
	free(raw->message);
	raw->message = strdup(raw->data);
	raw->length -= length;
	memmove(raw->data, raw->data + length, raw->length);
	return raw->message;
}

static bool has_ended(void *userdata)
{
	return ((struct raw *)userdata)->ended;
}

void raw_wait_end(struct raw *raw)
{
	place_run(raw->place, has_ended, raw);
}
