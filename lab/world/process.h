/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The laboratory's processes. Long-lived ones are recorded as pids/NAME, with their start time,
 * before they execute: whoever clears the lab later ends exactly these, never a stranger who was
 * given the same pid.
 */
#pragma once

#include "lab/world/lab.h"

struct us_lab_process_spec {
	const char *const *argv; /* ends with NULL */
	const char *place;  /* "host-a", "client" …: the namespace or machine, or NULL for ours */
	const char *record; /* name of the record and of the log NAME.log, or NULL */
	int stdout_fd;	    /* borrowed; -1: the log, or ours without a record */
	int extra_fd;	    /* borrowed; becomes US_LAB_PROCESS_EXTRA_FD in the process; or -1 */
	bool errors_too;    /* stderr goes to stdout_fd as well */
};

#define US_LAB_PROCESS_EXTRA_FD 3

/*
 * Has this process, and all that it starts, run before other work on the machine: a guest that does
 * not run cannot receive, whoever manages its network. Where sessions are scheduled as groups
 * (sched(7), autogroup), that is about the whole session. What may not be is left as it is.
 */
void us_lab_process_raise_priority(void);

/* Starts a process; *@ret_pid is the caller's to wait for. */
int us_lab_process_spawn(const struct us_lab *lab, const struct us_lab_process_spec *spec,
			 pid_t *ret_pid);

/* Whether @pid, a child of ours that nobody has waited for yet, has ended. */
bool us_lab_process_has_ended(pid_t pid);

/* Runs a command to its end. Returns its exit status, or a negative errno. */
int us_lab_process_run(const struct us_lab *lab, const char *place, const char *const argv[]);

/* Runs a command and returns what it printed (the caller frees), or NULL if it failed. */
char *us_lab_process_read(const struct us_lab *lab, const char *place, const char *const argv[]);

/* The same, but only the first line, without its end. */
char *us_lab_process_read_line(const struct us_lab *lab, const char *place,
			       const char *const argv[]);

/* Ends a recorded process: SIGTERM, then SIGKILL; waits until it is gone. */
void us_lab_process_end(const struct us_lab *lab, const char *record);
/* Ends all recorded processes whose record begins with @prefix. */
void us_lab_process_end_all(const struct us_lab *lab, const char *prefix);
/* Whether the recorded process lives; fills *@ret_pid if not NULL. */
bool us_lab_process_is_alive(const struct us_lab *lab, const char *record, pid_t *ret_pid);
