/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy, the command line: what its commands share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/args.h"

enum us_exit {
	US_EXIT_DONE = 0,
	US_EXIT_FAILED = 1,    /* refused or failed; the reason is on stderr */
	US_EXIT_USAGE = 2,     /* not understood */
	US_EXIT_NO_DAEMON = 3, /* nobody to ask */
};

struct us_cli {
	const char *host; /* what api/uri.h reads */
	bool json;
	const struct us_command *command;
	struct us_args args; /* of the command: its words are not among them */
};

/* A table ends with a NULL name. */
struct us_command {
	const char *name;      /* one or two words: "vm attach" */
	const char *arguments; /* "NAME --qmp PATH" */
	const char *help;      /* one line */
	const struct us_option *options;
	size_t least_words, most_words;
	enum us_exit (*run)(struct us_cli *cli);
};

extern const struct us_command us_vm_commands[];
extern const struct us_command us_pair_commands[];
extern const struct us_command us_status_commands[];
extern const struct us_command us_hold_commands[];
extern const struct us_command us_migrate_commands[];
extern const struct us_command us_events_commands[];
extern const struct us_command us_metrics_commands[];
extern const struct us_command us_doctor_commands[];
extern const struct us_command us_proxy_commands[];

/* ---- error.c ---- */

/* "understudy: …" on stderr. Both return their exit code. */
enum us_exit us_cli_fail(const struct us_cli *cli, enum us_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, with the command's usage behind it. */
enum us_exit us_cli_usage(const struct us_cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "usage: understudy COMMAND …" */
void us_cli_print_synopsis(FILE *out, const struct us_command *command);

/* ---- request.c ---- */

struct us_cli_request {
	const char *method;
	json_t *parameters; /* stolen; NULL: {} */
	bool more;
	/* The replies' strings come as the daemon sent them: without it, and without --json, each
	 * is made one printable line first. */
	bool raw;
	/* Each reply; may be NULL. Not called for errors, which are reported for everyone … */
	void (*reply)(void *userdata, const json_t *parameters);
	/* … unless there is this: @error is the error's name, or NULL where connecting failed with
	 * -errno @r; @message are its words. */
	void (*failed)(void *userdata, int r, const char *error, const char *message);
	/* With it, SIGINT and SIGTERM end the waiting (not what was asked for): it says so. */
	void (*interrupted)(void *userdata);
	void *userdata;
};

/* Calls the daemon and waits for the last answer. */
enum us_exit us_cli_request_run(const struct us_cli *cli, const struct us_cli_request *request);

/* A call with one reply, which is the caller's unless @ret_reply is NULL. */
enum us_exit us_cli_call(const struct us_cli *cli, const char *method, json_t *parameters,
			 json_t **ret_reply);

/* The same for a reply without content: with --json it is printed as it came. */
enum us_exit us_cli_do(const struct us_cli *cli, const char *method, json_t *parameters);

/* One line of JSON on stdout, at once. */
void us_cli_print_json(const json_t *value);

/* A member's text; @otherwise if it is absent, null or no string. */
const char *us_cli_json_text(const json_t *object, const char *name, const char *otherwise);

/* ---- spec.c ---- */

/*
 * The JSON for a primary's SPEC: null for "none". Only the obvious form is checked here, the
 * daemon knows the rest. Returns 0 or US_REFUSED.
 */
int us_cli_read_spec(const char *spec, json_t **ret_value, struct us_reason *reason);

/* ---- status.c ---- */

/* The table that `status` prints, for an array of pairs or for one. */
void us_status_print(const json_t *pairs);
void us_status_print_one(const json_t *pair);
/* What to do next, by what the pair shows; to free(). */
char *us_status_next_step(const json_t *pair);
/* Its guest's driver negotiated, and is not at DRIVER_OK yet. */
bool us_status_is_starting(const json_t *pair);
