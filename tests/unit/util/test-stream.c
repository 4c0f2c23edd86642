/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream, over a socket pair whose other end is the test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "util/priority.h"
#include "util/stream.h"
#include "util/unix-socket.h"

enum {
	MESSAGE_BYTES = 100,
	BACKLOG_BYTES = 4096,
	LIMIT_USEC = 5 * 1000 * 1000,
};

struct test {
	sd_event *loop;
	struct us_stream *stream;
	int peer;
	char heard[1000]; /* messages, each followed by '|' */
	unsigned messages, ends;
	int error;
	unsigned free_at; /* frees the stream inside this message, counted from 1 */
	bool free_at_end;
};

static void on_message(void *userdata, char *text, size_t length)
{
	struct test *test = userdata;
	size_t used = strlen(test->heard);

	assert_int_equal(test->ends, 0);
	assert_int_equal(strlen(text), length);
	snprintf(test->heard + used, sizeof(test->heard) - used, "%s|", text);
	test->messages++;
	if (test->messages == test->free_at)
		us_stream_free(US_STEAL(test->stream));
}

static void on_closed(void *userdata, int error)
{
	struct test *test = userdata;

	test->ends++;
	test->error = error;
	if (test->free_at_end)
		us_stream_free(US_STEAL(test->stream));
}

static const struct us_stream_handler handler = { on_message, on_closed };

static void begin_delimited(struct test *test, char delimiter)
{
	const struct us_stream_limits limits = { MESSAGE_BYTES, BACKLOG_BYTES };
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	*test = (struct test){ .peer = sockets[1] };
	assert_true(sd_event_new(&test->loop) >= 0);
	assert_int_equal(us_stream_new(&test->stream, test->loop, sockets[0], delimiter, limits,
				       &handler, test),
			 0);
}

static void begin(struct test *test)
{
	begin_delimited(test, '\n');
}

static void end(struct test *test)
{
	us_stream_free(test->stream);
	us_close(test->peer);
	sd_event_unref(test->loop);
}

/* Until nothing is left to do at once. */
static void run(struct test *test)
{
	while (sd_event_run(test->loop, 0) > 0)
		;
}

static void run_until_end(struct test *test)
{
	while (test->ends == 0)
		assert_true(sd_event_run(test->loop, LIMIT_USEC) > 0);
	run(test);
	assert_int_equal(test->ends, 1);
}

static void put(struct test *test, const char *bytes, size_t length)
{
	assert_int_equal(send(test->peer, bytes, length, MSG_NOSIGNAL), length);
	run(test);
}

static void put_text(struct test *test, const char *text)
{
	put(test, text, strlen(text));
}

/* ---- Receiving ---- */

static void messages_come_whole_and_in_order(void **state)
{
	struct test test;

	begin(&test);
	put_text(&test, "one\ntwo\n\nfour\n");
	assert_string_equal(test.heard, "one|two||four|");
	end(&test);
}

static void split_message_waits_for_its_end(void **state)
{
	static const char text[] = "a split message\nand another\n";
	struct test test;

	begin(&test);
	for (size_t i = 0; i < strlen(text); i++)
		put(&test, text + i, 1);
	assert_string_equal(test.heard, "a split message|and another|");
	put_text(&test, "no end");
	assert_int_equal(test.messages, 2);
	put_text(&test, " yet\nnext");
	assert_int_equal(test.messages, 3);
	put_text(&test, "\n");
	assert_string_equal(test.heard, "a split message|and another|no end yet|next|");
	end(&test);
}

static void turn(struct test *test)
{
	assert_true(sd_event_run(test->loop, 0) > 0);
}

static void client_is_heard_once_a_turn(void **state)
{
	struct test test;

	begin(&test);
	us_stream_set_client(test.stream, US_PRIORITY_READING);
	assert_int_equal(send(test.peer, "one\ntwo\nth", 10, 0), 10);
	turn(&test);
	assert_string_equal(test.heard, "one|");
	turn(&test);
	assert_string_equal(test.heard, "one|two|");
	assert_int_equal(sd_event_run(test.loop, 0), 0);
	put_text(&test, "ree\nfour\nfive\n");
	assert_string_equal(test.heard, "one|two|three|four|five|");
	end(&test);
}

static int note(sd_event_source *source, void *userdata)
{
	struct test *test = userdata;

	snprintf(test->heard + strlen(test->heard), 10, "(other)");
	return 0;
}

/* Between two messages of a client everything else has its turn. */
static void client_waits_for_others(void **state)
{
	sd_event_source *other = NULL;
	struct test test;

	begin(&test);
	us_stream_set_client(test.stream, US_PRIORITY_READING);
	assert_int_equal(send(test.peer, "one\ntwo\nthree\n", 14, 0), 14);
	turn(&test);
	assert_true(sd_event_add_defer(test.loop, &other, note, &test) >= 0);
	run(&test);
	assert_string_equal(test.heard, "one|(other)two|three|");
	sd_event_source_disable_unref(other);
	end(&test);
}

static void on_message_of_two(void *userdata, char *text, size_t length)
{
	on_message(*(struct test **)userdata, text, length);
}

static void on_closed_of_two(void *userdata, int error)
{
}

/* In turn, also when they have been heard before. */
static void clients_are_heard_in_turn(void **state)
{
	static const struct us_stream_handler both = { on_message_of_two, on_closed_of_two };
	const struct us_stream_limits limits = { MESSAGE_BYTES, BACKLOG_BYTES };
	static const char many[] = "b1\nb2\nb3\nb4\nb5\nb6\nb7\nb8\nb9\n";
	struct us_stream *other = NULL;
	struct test test, *heard = &test;
	int sockets[2];

	begin(&test);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(us_stream_new(&other, test.loop, sockets[0], '\n', limits, &both, &heard),
			 0);
	us_stream_set_client(test.stream, US_PRIORITY_READING);
	us_stream_set_client(other, US_PRIORITY_READING);
	put_text(&test, "a1\na2\na3\n");
	assert_string_equal(test.heard, "a1|a2|a3|");
	for (int i = 0; i < 2; i++) {
		test.heard[0] = '\0';
		assert_int_equal(send(sockets[1], many, strlen(many), 0), strlen(many));
		turn(&test);
		assert_int_equal(send(test.peer, "a1\na2\na3\n", 9, 0), 9);
		run(&test);
		assert_int_equal(strlen(test.heard), strlen(many) + 9);
		assert_true(strstr(test.heard, "a1") < strstr(test.heard, "b5"));
		assert_true(strstr(test.heard, "a3") < strstr(test.heard, "b9"));
	}
	us_stream_free(other);
	us_close(sockets[1]);
	end(&test);
}

/* What is answered must have been read before more is heard: nothing piles up, and nothing is lost.
 */
static void client_that_does_not_read_is_not_heard(void **state)
{
	static char answer[BACKLOG_BYTES - 1], data[64 * 1024];
	struct test test;
	ssize_t n = 0;

	begin(&test);
	us_stream_set_client(test.stream, US_PRIORITY_READING);
	memset(answer, 'x', sizeof(answer));
	while (us_stream_backlog(test.stream) == 0)
		assert_int_equal(us_stream_send(test.stream, answer, sizeof(answer)), 0);
	put_text(&test, "one\ntwo\n");
	assert_string_equal(test.heard, "");
	do {
		n = recv(test.peer, data, sizeof(data), MSG_DONTWAIT);
		run(&test);
	} while (n > 0);
	assert_int_equal(us_stream_backlog(test.stream), 0);
	assert_string_equal(test.heard, "one|two|");
	end(&test);
}

static void client_that_does_not_read_and_goes_is_let_go(void **state)
{
	static char answer[BACKLOG_BYTES - 1];
	struct test test;

	begin(&test);
	us_stream_set_client(test.stream, US_PRIORITY_READING);
	while (us_stream_backlog(test.stream) == 0)
		assert_int_equal(us_stream_send(test.stream, answer, sizeof(answer)), 0);
	put_text(&test, "one\ntwo\n");
	test.peer = us_close(test.peer);
	run_until_end(&test);
	assert_string_equal(test.heard, "one|two|");
	end(&test);
}

static void nul_delimits_where_it_is_the_delimiter(void **state)
{
	struct test test;

	begin_delimited(&test, '\0');
	put(&test, "one\ntwo\0three", 14);
	assert_string_equal(test.heard, "one\ntwo|three|");
	end(&test);
}

static void longest_message_fits(void **state)
{
	char text[MESSAGE_BYTES + 1];
	struct test test;

	begin(&test);
	memset(text, 'x', MESSAGE_BYTES);
	text[MESSAGE_BYTES] = '\n';
	put(&test, text, sizeof(text));
	assert_int_equal(test.messages, 1);
	assert_int_equal(test.ends, 0);
	end(&test);
}

static void message_over_the_limit_ends_the_stream(void **state)
{
	char text[MESSAGE_BYTES + 2];
	struct test test;

	memset(text, 'x', sizeof(text));
	for (int whole = 0; whole <= 1; whole++) {
		begin(&test);
		text[MESSAGE_BYTES + 1] = whole ? '\n' : 'x';
		put(&test, text, sizeof(text));
		assert_int_equal(test.messages, 0);
		assert_int_equal(test.ends, 1);
		assert_int_equal(test.error, -EMSGSIZE);
		assert_int_equal(us_stream_send(test.stream, "x", 1), -EPIPE);
		end(&test);
	}
}

/* What came before the offence was a message, what comes after is none. */
static void nul_in_a_message_ends_the_stream(void **state)
{
	struct test test;

	begin(&test);
	put(&test, "good\nb\0d\nlate\n", 14);
	assert_string_equal(test.heard, "good|");
	assert_int_equal(test.ends, 1);
	assert_int_equal(test.error, -EBADMSG);
	end(&test);
}

static void talker_does_not_starve_the_loop(void **state)
{
	char text[64 * 1024];
	struct test test;

	begin(&test);
	memset(text, '\n', sizeof(text));
	assert_int_equal(send(test.peer, text, sizeof(text), MSG_NOSIGNAL | MSG_DONTWAIT),
			 sizeof(text));
	assert_int_equal(sd_event_run(test.loop, LIMIT_USEC), 1);
	assert_in_range(test.messages, 1, sizeof(text));
	end(&test);
}

/* ---- The end ---- */

static void peer_that_closes_ends_the_stream(void **state)
{
	struct test test;

	begin(&test);
	put_text(&test, "last\nand a part");
	test.peer = us_close(test.peer);
	run_until_end(&test);
	assert_string_equal(test.heard, "last|");
	assert_int_equal(test.error, 0);
	end(&test);
}

/* Whoever writes to it finds out first; its last words count all the same. */
static void last_words_are_heard(void **state)
{
	struct test test;

	begin(&test);
	assert_int_equal(send(test.peer, "last\nwords\n", 11, MSG_NOSIGNAL), 11);
	test.peer = us_close(test.peer);
	us_stream_send(test.stream, "question", 8);
	assert_int_equal(us_stream_send(test.stream, "another", 7), -EPIPE);
	run_until_end(&test);
	assert_string_equal(test.heard, "last|words|");
	assert_int_equal(test.error, 0);
	end(&test);
}

static void freed_inside_a_message(void **state)
{
	struct test test;

	begin(&test);
	test.free_at = 2;
	put_text(&test, "one\ntwo\nthree\n");
	assert_string_equal(test.heard, "one|two|");
	assert_int_equal(test.ends, 0);
	end(&test);
}

static void freed_inside_closed(void **state)
{
	struct test test;

	begin(&test);
	test.free_at_end = true;
	test.peer = us_close(test.peer);
	run_until_end(&test);
	assert_null(test.stream);
	end(&test);
}

static void free_of_nothing(void **state)
{
	us_stream_free(NULL);
}

/* ---- Sending ---- */

static size_t drain(struct test *test, char *ret_first, size_t first_bytes)
{
	char buffer[4096];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(test->peer, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		if (total == 0 && ret_first)
			snprintf(ret_first, first_bytes, "%.*s", (int)n, buffer);
		total += n;
	}
	return total;
}

static void message_is_sent_with_its_delimiter(void **state)
{
	char text[20] = "";
	struct test test;

	begin(&test);
	assert_int_equal(us_stream_send(test.stream, "one", 3), 0);
	assert_int_equal(us_stream_send(test.stream, "two", 3), 0);
	assert_int_equal(us_stream_backlog(test.stream), 0);
	assert_int_equal(drain(&test, text, sizeof(text)), 8);
	assert_string_equal(text, "one\ntwo\n");
	end(&test);
}

/* Fills the socket, then the backlog; returns how many bytes were taken. */
static size_t fill(struct test *test, int *ret_r)
{
	char text[512];
	size_t total = 0;

	memset(text, 'y', sizeof(text));
	while ((*ret_r = us_stream_send(test->stream, text, sizeof(text) - 1)) == 0)
		total += sizeof(text);
	return total;
}

static void reader_too_slow_loses_the_stream(void **state)
{
	struct test test;
	int r;

	begin(&test);
	fill(&test, &r);
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(us_stream_backlog(test.stream), 1, BACKLOG_BYTES);
	assert_int_equal(test.ends, 0); /* never from inside the call */
	run_until_end(&test);
	assert_int_equal(test.error, -ENOBUFS);
	end(&test);
}

static void backlog_is_sent_when_the_peer_reads(void **state)
{
	size_t sent = 0, got = 0;
	struct test test;
	char text[512];

	begin(&test);
	memset(text, 'z', sizeof(text));
	while (us_stream_backlog(test.stream) == 0) {
		assert_int_equal(us_stream_send(test.stream, text, sizeof(text) - 1), 0);
		sent += sizeof(text);
	}
	while (got < sent) {
		got += drain(&test, NULL, 0);
		run(&test);
	}
	assert_int_equal(got, sent);
	assert_int_equal(us_stream_backlog(test.stream), 0);
	assert_int_equal(test.ends, 0);
	end(&test);
}

/* The descriptor that came with what is read next; -1 if none did. */
static int take_descriptor(struct test *test)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} rights = { 0 };
	char text[MESSAGE_BYTES];
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	int fd = -1;

	assert_true(recvmsg(test->peer, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0);
	if (message.msg_controllen > 0 && rights.header.cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(&rights.header), sizeof(fd));
	return fd;
}

static void descriptor_goes_with_its_message(void **state)
{
	struct test test;
	int fds[2], copy;
	char byte = 0;

	begin(&test);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(us_stream_send(test.stream, "one", 3), 0);
	assert_int_equal(take_descriptor(&test), -1);
	assert_int_equal(us_stream_send_fd(test.stream, "two", 3, fds[0]), 0);
	copy = take_descriptor(&test);
	assert_true(copy >= 0 && copy != fds[0]);
	assert_int_equal(send(copy, "x", 1, 0), 1);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'x');
	us_close(copy);
	us_close(fds[0]);
	us_close(fds[1]);
	end(&test);
}

static void descriptor_does_not_wait(void **state)
{
	struct test test;
	size_t backlog;
	char text[512];

	begin(&test);
	memset(text, 'z', sizeof(text));
	while (us_stream_backlog(test.stream) == 0)
		assert_int_equal(us_stream_send(test.stream, text, sizeof(text) - 1), 0);
	backlog = us_stream_backlog(test.stream);
	assert_int_equal(us_stream_send_fd(test.stream, "x", 1, test.peer), -EAGAIN);
	assert_int_equal(us_stream_backlog(test.stream), backlog);
	run(&test);
	assert_int_equal(test.ends, 0);
	end(&test);
}

static void finish_sends_what_is_queued_first(void **state)
{
	size_t sent = 0, got = 0;
	struct test test;
	char text[512];

	begin(&test);
	memset(text, 'z', sizeof(text));
	while (us_stream_backlog(test.stream) == 0) {
		assert_int_equal(us_stream_send(test.stream, text, sizeof(text) - 1), 0);
		sent += sizeof(text);
	}
	us_stream_finish(test.stream);
	assert_int_equal(us_stream_send(test.stream, "x", 1), -EPIPE);
	run(&test);
	assert_int_equal(test.ends, 0);
	while (got < sent) {
		got += drain(&test, NULL, 0);
		run(&test);
	}
	run_until_end(&test);
	assert_int_equal(got, sent);
	assert_int_equal(test.error, 0);
	end(&test);
}

static void finish_of_an_idle_stream_is_its_end(void **state)
{
	struct test test;

	begin(&test);
	us_stream_finish(test.stream);
	assert_int_equal(test.ends, 0);
	run_until_end(&test);
	assert_int_equal(test.error, 0);
	end(&test);
}

/* ---- Connecting ---- */

static void connecting_tells_what_is_wrong(void **state)
{
	char path[200];
	int fd = -1;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(us_connect_unix(path, &fd), -ENAMETOOLONG);
	assert_int_equal(us_connect_unix("/nowhere/socket", &fd), -ENOENT);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_whole_and_in_order),
		cmocka_unit_test(split_message_waits_for_its_end),
		cmocka_unit_test(client_is_heard_once_a_turn),
		cmocka_unit_test(client_waits_for_others),
		cmocka_unit_test(clients_are_heard_in_turn),
		cmocka_unit_test(client_that_does_not_read_is_not_heard),
		cmocka_unit_test(client_that_does_not_read_and_goes_is_let_go),
		cmocka_unit_test(nul_delimits_where_it_is_the_delimiter),
		cmocka_unit_test(longest_message_fits),
		cmocka_unit_test(message_over_the_limit_ends_the_stream),
		cmocka_unit_test(nul_in_a_message_ends_the_stream),
		cmocka_unit_test(talker_does_not_starve_the_loop),
		cmocka_unit_test(peer_that_closes_ends_the_stream),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(freed_inside_a_message),
		cmocka_unit_test(freed_inside_closed),
		cmocka_unit_test(free_of_nothing),
		cmocka_unit_test(message_is_sent_with_its_delimiter),
		cmocka_unit_test(reader_too_slow_loses_the_stream),
		cmocka_unit_test(backlog_is_sent_when_the_peer_reads),
		cmocka_unit_test(descriptor_goes_with_its_message),
		cmocka_unit_test(descriptor_does_not_wait),
		cmocka_unit_test(finish_sends_what_is_queued_first),
		cmocka_unit_test(finish_of_an_idle_stream_is_its_end),
		cmocka_unit_test(connecting_tells_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
