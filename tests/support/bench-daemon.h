/* SPDX-License-Identifier: BSD-3-Clause */
/* An understudyd that is measured: its process, what it uses, and calls that are waited for. */
#pragma once

#include <jansson.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "understudy/client.h"

struct bench_daemon {
	const char *program;
	sd_event *loop;
	char dir[60]; /* its own: removed with it */
	char log[80]; /* where its log goes; "": to our stderr */
	pid_t pid;    /* 0 while it does not run */
	struct us_client *client;
};

struct bench_usage {
	uint64_t cpu_nsec;
	long resident_kib, anonymous_kib;
};

/* Ends the benchmark in words; what was made is taken away at exit. */
void bench_fail(const char *what, int error) __attribute__((noreturn));
/* Runs the loop for so long, or until @done; it is given up after a minute. */
void bench_run_for(sd_event *loop, uint64_t usec);
void bench_run_until(sd_event *loop, bool (*done)(const void *userdata), const void *userdata,
		     const char *what);

/* Makes @dir with mkdtemp(3), by a template; the daemon is not started yet. */
void bench_daemon_init(struct bench_daemon *daemon, sd_event *loop, const char *program,
		       const char *dir);
/* Starts it, again if it was ended; returns when it listens. */
void bench_daemon_start(struct bench_daemon *daemon);
void bench_daemon_end(struct bench_daemon *daemon);
void bench_daemon_remove(struct bench_daemon *daemon);

struct bench_usage bench_daemon_usage(const struct bench_daemon *daemon);
/* "unix:PATH" */
void bench_daemon_address(const struct bench_daemon *daemon, char ret_address[80]);

/* Calls and waits for the answer; an error ends the benchmark. The answer is the caller's. */
json_t *bench_daemon_call(struct bench_daemon *daemon, const char *method, json_t *parameters);
