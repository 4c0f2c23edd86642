/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drains the queues of a stopped VMM's tap: takes the frames that the VMM has not read (README.md),
 * through copies of the VMM's own descriptors (pidfd_getfd(2)). This needs CAP_SYS_PTRACE. There is
 * one descriptor per queue, also with vhost-net, which releases its queue at the stop.
 *
 * The owner of the process decides what its descriptors are. A file of a FUSE mount can block
 * whoever closes a copy of it, and a process can have half a million descriptors. Therefore
 * threads do all of the work, look at a limited number, and keep only those of /dev/net/tun. The
 * queues are looked up before the VMM stops and read after it.
 *
 * Read only from a VMM that is stopped: it never gets the frames that are taken here.
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "net/frame/frame.h"
#include "util/error.h"

struct us_drain;

struct us_drain_process {
	int pidfd; /* which process it is; -1: unknown */
	pid_t pid; /* its directory in /proc */
};

/* As long as the process has not ended, its number is not reused. */
bool us_drain_process_has_ended(const struct us_drain_process *process);

/*
 * Whether descriptors of a process can be copied; copies none. Cheap. Refused: no such process, or
 * no permission.
 */
int us_drain_check(const struct us_drain_process *process, struct us_reason *reason);

/* @r is 0, or US_REFUSED with the reason. From the loop; may free the drain. */
typedef void (*us_drain_done_fn)(void *userdata, int r, const struct us_reason *reason);

/*
 * Looks the queues of the tap @interface up among the descriptors of a process, and keeps copies
 * of them. It takes about a millisecond; then it calls @done. @done is refused: no such process,
 * no permission, or the process does not have that tap open. Borrows @loop; copies the rest.
 * Refused at once: an earlier look-up in that process was abandoned and has not ended.
 */
int us_drain_new(struct us_drain **ret_drain, sd_event *loop,
		 const struct us_drain_process *process, const char *interface,
		 us_drain_done_fn done, void *userdata, struct us_reason *reason);
/* Abandons a drain under way: it calls no function any more. NULL is fine. */
void us_drain_free(struct us_drain *drain);

/* Whether queues were found, and no thread works on them. */
bool us_drain_is_ready(const struct us_drain *drain);

/*
 * Takes all frames out of the queues; then it calls @done. May be repeated. A negative errno: it
 * has not begun, and @done is not called.
 */
int us_drain_read(struct us_drain *drain, us_drain_done_fn done, void *userdata);

/* @frame is valid until the function returns. @queue counts the queues, in no particular order. */
typedef void (*us_drain_fn)(void *userdata, int queue, const struct us_frame *frame);

/* Calls @each for each frame, queue by queue in the order of arrival, and drops the frames. */
void us_drain_each(struct us_drain *drain, us_drain_fn each, void *userdata);
