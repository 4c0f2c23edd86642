/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop of a test build tells of a turn that takes too long, and of no other. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "daemon/loop.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	LONG_USEC = 900 * 1000,	  /* far beyond the limit, also of a sanitizer's build */
	ALLOWED_USEC = 10 * 1000, /* below it */
	SPINNERS = 2,
};

static void work(uint64_t usec)
{
	uint64_t end = us_clock_usec(CLOCK_THREAD_CPUTIME_ID) + usec;

	while (us_clock_usec(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static int on_sleep(sd_event_source *source, void *userdata)
{
	const struct timespec pause = { .tv_nsec = LONG_USEC * 1000 };

	nanosleep(&pause, NULL);
	return sd_event_exit(sd_event_source_get_event(source), 7);
}

static int on_work(sd_event_source *source, void *userdata)
{
	work(LONG_USEC);
	return sd_event_exit(sd_event_source_get_event(source), 7);
}

static int on_little_work(sd_event_source *source, void *userdata)
{
	work(ALLOWED_USEC);
	return sd_event_exit(sd_event_source_get_event(source), 7);
}

/* Runs a loop with one source, and returns what it wrote to the log. */
static const char *run(sd_event_handler_t handler)
{
	static char said[1000];
	US_CLEANUP(sd_event_unrefp) sd_event *loop = NULL;
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	assert_true(sd_event_new(&loop) >= 0);
	assert_true(sd_event_add_defer(loop, NULL, handler, NULL) >= 0);
	dup2(fileno(file), STDERR_FILENO);
	assert_int_equal(us_loop_run(loop), 7);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	n = fread(said, 1, sizeof(said) - 1, file);
	said[n] = '\0';
	fclose(file);
	return said;
}

static void test_sleep(void **state)
{
	const char *said = run(on_sleep);

	assert_non_null(strstr(said, "a turn of the loop took too long"));
	assert_non_null(strstr(said, "nanosleep"));
}

static void test_work(void **state)
{
	assert_non_null(strstr(run(on_work), "a turn of the loop took too long"));
}

/* Three on one processor: the turn lasts long, and that is nobody's fault. */
static void test_wait(void **state)
{
	cpu_set_t all, one;
	pid_t pids[SPINNERS];

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int i = 0; i < SPINNERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			for (;;)
				;
	}
	for (int i = 0; i < 3; i++)
		assert_string_equal(run(on_little_work), "");
	for (int i = 0; i < SPINNERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_wait),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
