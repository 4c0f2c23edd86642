/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the command line `understudy` of one host, as an operator would. */
#pragma once

#include <jansson.h>

#include "lab/world/lab.h"
#include "util/error.h"
#include "util/stream.h"

/* One `understudy --json` under way. */
struct us_lab_cli {
	struct us_lab *lab;
	/* Called for each line of the output that is JSON; or NULL. */
	void (*on_line)(struct us_lab_cli *cli, json_t *line);
	void *userdata;
	enum us_lab_host host;
	pid_t pid;
	struct us_stream *output;
	sd_event_source *child;
	int status; /* exit status, once has_exited */
	bool has_exited;
	json_t *last;	 /* newest JSON line of the output, or NULL */
	char error[400]; /* newest other line: an error message */
};

/*
 * Starts `understudy -H unix:… --json` with @argv (ends with NULL; not kept). @cli must not move
 * until us_lab_cli_deinit(), which also ends a command that still runs. Returns 0 or -errno.
 */
int us_lab_cli_start(struct us_lab_cli *cli, struct us_lab *lab, enum us_lab_host host,
		     void (*on_line)(struct us_lab_cli *cli, json_t *line), void *userdata,
		     const char *const argv[]);
bool us_lab_cli_is_done(const struct us_lab_cli *cli);
/* Waits for the end. Returns 0, or US_REFUSED with the command's own error message. */
int us_lab_cli_wait(struct us_lab_cli *cli, uint64_t timeout_usec, struct us_reason *reason);
void us_lab_cli_deinit(struct us_lab_cli *cli);

/* Runs a command to its end. *@ret_output, its last JSON line, is the caller's; may be NULL. */
int us_lab_cli_run(struct us_lab *lab, enum us_lab_host host, const char *const argv[],
		   json_t **ret_output, struct us_reason *reason);
