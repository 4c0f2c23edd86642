/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A place to run real servers and clients in one process: a loop, a directory of its own, and
 * a way to run the loop until something is true.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct place {
	sd_event *loop;
	char directory[64];
	char path[96]; /* for the server's socket, in the directory */
};

/* cmocka set-up and tear-down of a test; *@state is the place. */
int place_setup(void **state);
int place_teardown(void **state);

/* Runs the loop until @reached; fails the test when nothing happens for 10 s. */
void place_run(struct place *place, bool (*reached)(void *userdata), void *userdata);

/* Runs the loop until a child process ended; returns its exit status, 128 + N for a signal. */
int place_run_child(struct place *place, pid_t pid);

/* A client that speaks bytes. */
struct raw {
	struct place *place;
	sd_event_source *io;
	int fd;
	char *data; /* received, not consumed */
	size_t length;
	bool ended;
	char *message; /* the last one of raw_receive() */
};

void raw_connect(struct raw *raw, struct place *place);
void raw_close(struct raw *raw);
void raw_send(struct raw *raw, const char *data, size_t length);
/* Sends a text and its NUL. */
void raw_call(struct raw *raw, const char *text);
/* The next message, valid until the next call. */
const char *raw_receive(struct raw *raw);
/* Runs until the server has closed. */
void raw_wait_end(struct raw *raw);
