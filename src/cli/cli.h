/* SPDX-License-Identifier: BSD-3-Clause */
/* understudy, the command line: the parts and the headers that all commands use. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"

enum us_exit {
	US_EXIT_DONE = 0,
	US_EXIT_FAILED = 1,    /* refused or failed; the reason is on stderr */
	US_EXIT_USAGE = 2,     /* the arguments were not understood */
	US_EXIT_NO_DAEMON = 3, /* there is no daemon to ask */
};

enum {
	US_WORDS_MAX = 8,
	US_GIVEN_MAX = 128,
};

/* All strings are borrowed from argv and the tables of options. */
struct us_args {
	const char *words[US_WORDS_MAX];
	size_t word_count;
	struct {
		const char *name;
		const char *value; /* "" for an option without one */
	} given[US_GIVEN_MAX];
	size_t given_count;
};

struct us_cli {
	const char *host; /* see api/uri.h */
	bool json;
	const struct us_command *command; /* NULL: not found yet */
	struct us_args args;		  /* of the command, without its name */
};

typedef enum us_exit us_command_fn(struct us_cli *cli);

/* Both tables end with a NULL name. */
struct us_option {
	const char *name;
	char letter;	      /* 0: none */
	const char *argument; /* the value's name in the help, "[=NAME]" if it may be left out;
			       * NULL: the option has no value */
	const char *help;
};

struct us_command {
	const char *name;      /* one or two words: "vm attach" */
	const char *arguments; /* "NAME --qmp PATH" */
	const char *help;      /* one line */
	const struct us_option *options;
	size_t least_words, most_words;
	us_command_fn *run;
};

extern const struct us_command us_commands[];

/* The commands, each in the file of its name or of what it changes. */
us_command_fn us_cli_vm_attach, us_cli_vm_detach, us_cli_vm_list;
us_command_fn us_cli_pair_add, us_cli_pair_assign, us_cli_pair_remove;
us_command_fn us_cli_hide, us_cli_expose;
us_command_fn us_cli_prepare, us_cli_finish, us_cli_migrate;
us_command_fn us_cli_status, us_cli_watch, us_cli_metrics, us_cli_doctor, us_cli_proxy;

/* ---- args.c ---- */

extern const struct us_option us_common_options[]; /* of all commands */

/*
 * Appends the words and options at @*argv, in any order as GNU programs take them, to cli->args,
 * and moves @*argv behind them: --name VALUE, --name=VALUE, -n VALUE, -nVALUE; "--" ends the
 * options. Before the command is known, stops at the first word.
 */
enum us_exit us_args_read(struct us_cli *cli, char ***argv);

bool us_args_has(const struct us_args *args, const char *name);
/* The last value given for an option, "" if it has none; NULL if it was not given. */
const char *us_args_value(const struct us_args *args, const char *name);

/* ---- error.c ---- */

/* "understudy: …" on stderr. Both return their exit code. */
enum us_exit us_cli_fail(const struct us_cli *cli, enum us_exit code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, with the command's usage behind it. */
enum us_exit us_cli_usage(const struct us_cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Connecting failed with the errno @error. */
enum us_exit us_cli_no_daemon(const struct us_cli *cli, int error);
/* "usage: understudy COMMAND …" */
void us_cli_print_synopsis(FILE *out, const struct us_command *command);

/* ---- request.c ---- */

/* With --json, replies are printed unchanged; otherwise each string is made one printable line. */
struct us_cli_request {
	const char *method;
	json_t *parameters; /* stolen; NULL: {} */
	bool more;
	bool raw;		 /* the strings are used unchanged */
	const char *json_member; /* the part of a reply that --json prints; NULL: all of it */
	/* Each reply without --json; may be NULL. */
	void (*reply)(void *userdata, const json_t *parameters);
	/* Instead of both, the caller gets the last reply. */
	json_t **ret_reply;
	/* Errors are reported on stderr, unless this is set: the caller gets the error's whole name
	 * as `error`, or the `errno` with which connecting failed; and the `message`. */
	json_t **ret_error;
	/* If set, SIGINT and SIGTERM end the program, but not the request: says so. */
	void (*interrupted)(void *userdata);
	void *userdata;
};

/* Calls the daemon and waits for the last answer. */
enum us_exit us_cli_request_run(const struct us_cli *cli, const struct us_cli_request *request);

/*
 * Makes a call with one reply. Without --json, @print(@cli) gets the reply; NULL: it has no
 * content.
 */
enum us_exit us_cli_call(struct us_cli *cli, const char *method, json_t *parameters,
			 void (*print)(void *userdata, const json_t *reply));

/* One line of JSON on stdout, at once. */
void us_cli_print_json(const json_t *value);

/* The text of a member; @otherwise if the member is no string. */
const char *us_cli_json_text(const json_t *object, const char *name, const char *otherwise);
/* Whether a member is this text. */
bool us_cli_json_is(const json_t *object, const char *name, const char *text);
/* The number of a member; 0 if it is no whole number. */
json_int_t us_cli_json_number(const json_t *object, const char *name);

/* ---- table.c ---- */

/*
 * Prints a table with aligned columns, two blanks apart; the last column is not padded. @rows is
 * stolen: an array of arrays of printable strings, the header first. An empty or null cell shows
 * as "-".
 */
void us_cli_print_table(json_t *rows);

/* ---- status.c ---- */

/* Prints the table of `status` for an array of pairs. */
void us_status_print(const json_t *pairs);
/* The next step for a pair; the caller frees it. */
char *us_status_next_step(const json_t *pair);
/* Whether the guest's driver has negotiated, but has not reached DRIVER_OK. */
bool us_status_is_starting(const json_t *pair);
