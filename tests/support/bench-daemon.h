/* SPDX-License-Identifier: BSD-3-Clause */
/* An understudyd under measurement: its process, its resources, and calls to it. */
#pragma once

#include <jansson.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "understudy/client.h"

struct bench_daemon {
	const char *program;
	sd_event *loop;
	char dir[60]; /* its own, removed with it */
	char log[80]; /* file of its log; "": our stderr */
	pid_t pid;    /* 0 while it does not run */
	struct us_client *client;
};

struct bench_usage {
	uint64_t cpu_nsec;
	long resident_kib, anonymous_kib;
};

/* Prints the error and exits; functions of atexit(3) remove everything. */
void bench_fail(const char *what, int error) __attribute__((noreturn));
/* Run the loop for @usec, or until @done(); fails with @what after a minute. */
void bench_run_for(sd_event *loop, uint64_t usec);
void bench_run_until(sd_event *loop, bool (*done)(const void *userdata), const void *userdata,
		     const char *what);

/* Makes the directory from the template @dir (mkdtemp(3)). Does not start the daemon. */
void bench_daemon_init(struct bench_daemon *daemon, sd_event *loop, const char *program,
		       const char *dir);
/* Starts the daemon, or starts it again; returns once it listens. */
void bench_daemon_start(struct bench_daemon *daemon);
void bench_daemon_end(struct bench_daemon *daemon);
void bench_daemon_remove(struct bench_daemon *daemon);

struct bench_usage bench_daemon_usage(const struct bench_daemon *daemon);
/* "unix:PATH" */
void bench_daemon_address(const struct bench_daemon *daemon, char ret_address[80]);

/* Calls @method and waits for the answer, the caller's. Exits after an error. Takes @parameters. */
json_t *bench_daemon_call(struct bench_daemon *daemon, const char *method, json_t *parameters);
