/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each VM gets at most a fifth of the loop's time, and several VMs that never stop sending do not
 * get all of it: a client or a park tap has its turn after a limit. The limit is in processor time,
 * so the result does not depend on the load of the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"
#include "util/priority.h"
#include "util/stream.h"

enum {
	TALKERS = 12,
	MESSAGE_USEC = 1000,
	STARVED_USEC = 1000 * 1000,
};

struct talker {
	struct us_stream *stream;
	int peer;
};

static uint64_t used_usec(void)
{
	return us_clock_usec(CLOCK_THREAD_CPUTIME_ID);
}

static void talk(const struct talker *talker)
{
	assert_int_equal(send(talker->peer, "a\n", 2, 0), 2);
}

/* There is one more, always. */
static void on_message(void *userdata, char *text, size_t length)
{
	uint64_t end_usec = used_usec() + MESSAGE_USEC;

	while (used_usec() < end_usec)
		;
	talk(userdata);
}

static void on_closed(void *userdata, int error)
{
	fail_msg("a stream ended: %d", error);
}

static const struct us_stream_handler handler = { on_message, on_closed };

static void begin(struct talker *talker, sd_event *loop)
{
	const struct us_stream_limits limits = { 100, 100 };
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	talker->peer = sockets[1];
	assert_int_equal(
		us_stream_new(&talker->stream, loop, sockets[0], '\n', limits, &handler, talker),
		0);
	talk(talker);
}

static int on_client(sd_event_source *source, void *userdata)
{
	++*(unsigned int *)userdata;
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

static void test_a_client_is_served(void **state)
{
	struct talker talkers[TALKERS];
	sd_event_source *client = NULL;
	unsigned int served = 0;
	sd_event *loop = NULL;

	assert_true(sd_event_new(&loop) >= 0);
	for (int i = 0; i < TALKERS; i++)
		begin(&talkers[i], loop);
	assert_true(sd_event_add_defer(loop, &client, on_client, &served) >= 0);
	assert_true(sd_event_source_set_priority(client, US_PRIORITY_CHANGING) >= 0);
	assert_true(sd_event_source_set_enabled(client, SD_EVENT_ON) >= 0);
	for (unsigned int wanted = 1; wanted <= 3; wanted++) {
		uint64_t since_usec = used_usec();

		while (served < wanted) {
			assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
			if (used_usec() - since_usec > STARVED_USEC)
				fail_msg("%u turns for the client", served);
		}
	}
	for (int i = 0; i < TALKERS; i++) {
		us_stream_free(talkers[i].stream);
		close(talkers[i].peer);
	}
	sd_event_source_disable_unref(client);
	sd_event_unref(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_client_is_served) };

	return cmocka_run_group_tests_name("many-talkers", tests, NULL, NULL);
}
