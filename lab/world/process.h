/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The laboratory's processes. A long-lived process is recorded as pids/NAME, with its start time,
 * before it executes. A later clean-up ends exactly these processes, never another one that was
 * given the same PID.
 */
#pragma once

#include "lab/world/lab.h"

struct us_lab_process_spec {
	const char *const *argv; /* ends with NULL */
	const char *place;	 /* "host-a", "client" …: the namespace or machine; NULL: ours */
	const char *record;	 /* name of the record and of the log NAME.log; NULL: short-lived */
	int stdout_fd;		 /* borrowed; -1: the log, or ours if there is no record */
	int extra_fd;		 /* borrowed; is US_LAB_PROCESS_EXTRA_FD in the process; or -1 */
	bool adopts;		 /* orphans of the process become its children */
	bool errors_too;	 /* stderr goes to stdout_fd as well */
};

#define US_LAB_PROCESS_EXTRA_FD 3

/*
 * Raises the priority of this process and its later children, because a guest that does not run
 * cannot receive. Where sessions are scheduled as groups (sched(7), autogroup), raises the group's.
 * Errors are ignored.
 */
void us_lab_process_raise_priority(void);

/* Starts a process. The caller waits for *@ret_pid. Returns 0 or -errno. */
int us_lab_process_spawn(const struct us_lab *lab, const struct us_lab_process_spec *spec,
			 pid_t *ret_pid);

/* The same for a process without other descriptors; @record may be NULL. */
int us_lab_process_start(const struct us_lab *lab, const char *place, const char *record,
			 const char *const argv[], pid_t *ret_pid);
/* The same; *@ret_fd reads the standard output of the process. */
int us_lab_process_pipe(const struct us_lab *lab, const char *place, const char *record,
			const char *const argv[], pid_t *ret_pid, int *ret_fd);

/* Whether @pid, a child of ours that was not waited for yet, has ended. */
bool us_lab_process_has_ended(pid_t pid);

/* Runs a command to its end. Returns its exit status (128 + signal), or a negative errno. */
int us_lab_process_run(const struct us_lab *lab, const char *place, const char *const argv[]);

/* Runs a command. Returns its output, the caller's to free, or NULL if the command failed. */
char *us_lab_process_read(const struct us_lab *lab, const char *place, const char *const argv[]);

/* The same, but only the first line, without the line end. */
char *us_lab_process_read_line(const struct us_lab *lab, const char *place,
			       const char *const argv[]);

/* Ends a recorded process with SIGTERM, then SIGKILL; returns when it has ended. */
void us_lab_process_end(const struct us_lab *lab, const char *record);
/* Ends all recorded processes whose names begin with @prefix. */
void us_lab_process_end_all(const struct us_lab *lab, const char *prefix);
/* Whether the recorded process runs. @ret_pid may be NULL. */
bool us_lab_process_is_alive(const struct us_lab *lab, const char *record, pid_t *ret_pid);
