/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The duration of a turn means nothing while other threads want the same processor. So a turn has
 * three parts: the time in which the thread used a processor, the time in which it waited for one,
 * and the rest, in which it slept. The waiting does not count, nor does the time in which the
 * machine itself waited ("steal", of all its processors).
 *
 * A second thread samples /proc to find the system call in which the thread sleeps. System calls
 * that configure the network wait for a lock of the whole kernel, which another process may hold;
 * these, and those that no sample has found, are logged as the kernel's.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/running.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED
#endif
#endif

enum {
	SAMPLE_USEC = 5 * 1000,
	STEAL_USEC = 100 * 1000, /* between two readings of "steal" */
#ifdef IS_SANITIZED
	LIMIT_USEC = 200 * 1000, /* a sanitizer is slow */
#else
	LIMIT_USEC = 20 * 1000,
#endif
};

/* System calls in which the loop must not sleep. */
static const struct {
	long number;
	const char *name;
} sleeping[] = {
	{ SYS_nanosleep, "nanosleep" },
	{ SYS_clock_nanosleep, "clock_nanosleep" },
	{ SYS_wait4, "wait4" },
	{ SYS_waitid, "waitid" },
	{ SYS_futex, "futex" },
	{ SYS_ppoll, "poll" },
	{ SYS_pselect6, "select" },
	{ SYS_epoll_pwait, "epoll_wait" },
#ifdef SYS_poll
	{ SYS_poll, "poll" },
	{ SYS_select, "select" },
	{ SYS_epoll_wait, "epoll_wait" },
#endif
	{ SYS_flock, "flock" },
	{ SYS_fsync, "fsync" },
	{ SYS_connect, "connect" },
	{ SYS_accept4, "accept" },
};

static struct {
	pthread_t thread;
	pid_t thread_id;	     /* of the thread of the loop */
	_Atomic uint64_t since_usec; /* since when the present turn runs; 0: none does */
	_Atomic long found;	     /* the system call it slept in, or -1 */
	_Atomic bool is_over;
} watch;

struct moment {
	uint64_t wall_usec, used_usec, waited_usec;
};

static int schedstat_fd = -1;

/* The second number of schedstat: nanoseconds on a run queue, without running. */
static uint64_t read_waited_usec(void)
{
	uint64_t used, waited;
	char text[80];
	ssize_t n = pread(schedstat_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%" SCNu64 " %" SCNu64, &used, &waited) == 2 ? waited / 1000 : 0;
}

static struct moment now(void)
{
	return (struct moment){
		.waited_usec = read_waited_usec(),
		.used_usec = us_clock_usec(CLOCK_THREAD_CPUTIME_ID),
		.wall_usec = us_now_usec(),
	};
}

/* Of all processors, in ticks. */
static uint64_t read_stolen_usec(void)
{
	uint64_t stolen = 0;
	FILE *file = fopen("/proc/stat", "re");

	if (!file)
		return 0;
	if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &stolen) != 1)
		stolen = 0;
	fclose(file);
	return stolen * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t difference(uint64_t later, uint64_t earlier)
{
	return later > earlier ? later - earlier : 0;
}

/* ---- What the loop sleeps in ---- */

static long read_system_call(void)
{
	char path[64];
	FILE *file;
	long number = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)watch.thread_id);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1) /* "running" */
		number = -1;
	fclose(file);
	return number;
}

static void *watch_loop(void *userdata)
{
	const struct timespec pause = { .tv_nsec = SAMPLE_USEC * 1000 };

	while (!watch.is_over) {
		uint64_t since = watch.since_usec;

		if (since && us_now_usec() - since > LIMIT_USEC / 2) {
			long number = read_system_call();

			if (number >= 0 && watch.since_usec == since)
				watch.found = number;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static const char *name_of_sleep(void)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(sleeping); i++)
		if (sleeping[i].number == watch.found)
			return sleeping[i].name;
	return NULL;
}

/* ---- Turns ---- */

static void report(uint64_t used, uint64_t slept)
{
	extern const char __executable_start;
	const char *function = us_running.function, *sleep = name_of_sleep();
	bool is_kernel = used < LIMIT_USEC && !sleep;

	us_log(is_kernel ? LOG_INFO : LOG_ERR,
	       "understudyd-crash: %s: %s +0x%zx: used %" PRIu64 " us, slept %" PRIu64
	       " us in %s (%ld)",
	       is_kernel ? "the kernel made a turn of the loop wait"
			 : "a turn of the loop took too long",
	       us_running.name ? us_running.name : "?",
	       function ? (size_t)(function - &__executable_start) : 0, used, slept,
	       sleep ? sleep : "a system call", watch.found);
}

static int take_turn(sd_event *loop)
{
	static uint64_t stolen_usec, looked_usec;
	struct moment before = now(), after;
	uint64_t used, waited, slept, stolen;
	int r;

	if (before.wall_usec - looked_usec >= STEAL_USEC) {
		stolen_usec = read_stolen_usec();
		looked_usec = before.wall_usec;
		before = now();
	}
	us_running = (struct us_running){ 0 };
	watch.found = -1;
	watch.since_usec = before.wall_usec;
	r = sd_event_dispatch(loop);
	watch.since_usec = 0;
	after = now();
	used = difference(after.used_usec, before.used_usec);
	waited = difference(after.waited_usec, before.waited_usec);
	slept = difference(after.wall_usec - before.wall_usec, used + waited);
	if (used < LIMIT_USEC && slept < LIMIT_USEC)
		return r;
	stolen = difference(read_stolen_usec(), stolen_usec);
	if (difference(used, stolen) >= LIMIT_USEC || difference(slept, stolen) >= LIMIT_USEC)
		report(used, slept);
	return r;
}

int us_loop_run(sd_event *loop)
{
	int r, code = 0;

	watch.thread_id = gettid();
	watch.is_over = false;
	r = -pthread_create(&watch.thread, NULL, watch_loop, NULL);
	if (r < 0)
		return r;
	schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	while (r >= 0 && sd_event_get_state(loop) != SD_EVENT_FINISHED) {
		r = sd_event_prepare(loop);
		if (r == 0)
			r = sd_event_wait(loop, UINT64_MAX);
		if (r > 0)
			r = take_turn(loop);
	}
	schedstat_fd = us_close(schedstat_fd);
	watch.is_over = true;
	pthread_join(watch.thread, NULL);
	if (r >= 0)
		r = sd_event_get_exit_code(loop, &code);
	return r < 0 ? r : code;
}
