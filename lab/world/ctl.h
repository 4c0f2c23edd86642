/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemons, and the command line `understudy` as an operator would use it. Nothing else of
 * Understudy is used: what the lab cannot see through these, an operator cannot see either.
 */
#pragma once

#include <jansson.h>

#include "lab/world/lab.h"
#include "util/stream.h"

/* The socket of the host's daemon. */
void us_lab_daemon_socket(const struct us_lab *lab, enum us_lab_host host, char path[200]);

/* How the daemon of @host is called by the other host's, for `migrate --to`. */
void us_lab_daemon_destination(const struct us_lab *lab, enum us_lab_host host, char target[210]);

/* What is written there is the point at which the host's daemon dies, daemon/crash.h. */
void us_lab_daemon_crash_path(const struct us_lab *lab, enum us_lab_host host, char path[200]);

/* Starts the daemon of @host and returns once it says that it is ready. */
int us_lab_daemon_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason);

/* One `understudy --json` under way. Lines of its output go to @on_line as they come. */
struct us_call {
	struct us_lab *lab;
	void (*on_line)(struct us_call *call, json_t *line);
	void *userdata;
	enum us_lab_host host;
	pid_t pid;
	struct us_stream *output;
	sd_event_source *child;
	int status; /* exit status once done */
	bool exited;
	json_t *last;	 /* newest line of the output */
	char words[400]; /* newest that was not JSON: what it complained of */
};

/*
 * Starts `understudy -H unix:… --json` with @argv (ends with NULL; not kept). @call must stay
 * where it is until us_lab_cli_deinit(); us_lab_cli_deinit() ends a call that is still under way.
 */
int us_lab_cli_start(struct us_call *call, struct us_lab *lab, enum us_lab_host host,
		  void (*on_line)(struct us_call *call, json_t *line), void *userdata,
		  const char *const argv[]);
bool us_lab_cli_is_done(const struct us_call *call);
/* Waits for the end. Returns 0, US_REFUSED with the CLI's own words, or -ETIMEDOUT, -EINTR. */
int us_lab_cli_wait(struct us_call *call, uint64_t timeout_usec, struct us_reason *reason);
void us_lab_cli_deinit(struct us_call *call);

/* All of the above in one; *@ret_output, the last line, may be NULL and is the caller's. */
int us_lab_cli_run(struct us_lab *lab, enum us_lab_host host, const char *const argv[], json_t **ret_output,
	   struct us_reason *reason);
