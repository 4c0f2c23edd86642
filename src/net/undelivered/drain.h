/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stopped VMM has not read: the frames that wait in the queues of its tap. They are
 * taken out through the VMM's own descriptors (pidfd_getfd(2)), which needs CAP_SYS_PTRACE; one
 * descriptor per queue, with or without vhost-net, which lets go of its queue at the stop.
 *
 * What a descriptor is, its owner decides: a file of a FUSE mount can block whoever closes a copy
 * of it, and a process can have half a million. So all of it is done in threads, of descriptors
 * that have a limit, and kept are those of /dev/net/tun only. The queues are looked for before the
 * VMM stops, and read after it.
 *
 * To be read only from a VMM that stands still: what is taken here it never sees.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "net/frame/frame.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_drain;

/* The VMM, twice: @pidfd says which process it is, and @pid where in /proc that is. */
struct us_drain_process {
	int pidfd; /* -1: none is known */
	pid_t pid;
};

/*
 * Whether the descriptors of a process may be borrowed at all; none is. Cheap. 0, or refused, in
 * words: no such process, or no permission.
 */
int us_drain_check(const struct us_drain_process *process, struct us_reason *reason);

/* From the loop; the drain may be freed from here. @r is 0 or US_REFUSED, with the
 * reason.
 */
typedef void (*us_drain_done_fn)(void *userdata, int r, const struct us_reason *reason);

/*
 * Looks for the queues of the tap @interface among the descriptors of a process and keeps copies of
 * them: about a millisecond. @done is told; refused: no such process, no permission, or it does not
 * have that tap open. Borrows @loop; copies the rest. Refused at once, in words: an earlier look at
 * that process was given up and has not ended.
 */
int us_drain_new(struct us_drain **ret_drain, sd_event *loop,
		 const struct us_drain_process *process, const char *interface,
		 us_drain_done_fn done, void *userdata, struct us_reason *reason);
/* Nobody is told anything any more. NULL is fine. */
void us_drain_free(struct us_drain *drain);
US_DEFINE_CLEANUP(struct us_drain *, us_drain_free)

/* Whether queues were found. */
bool us_drain_is_ready(const struct us_drain *drain);

/*
 * Takes all frames that wait in the queues into memory; then @done is told. Once found, queues can
 * be read as often as wanted. 0 or a negative errno: nothing was begun, and nobody will be told.
 */
int us_drain_read(struct us_drain *drain, us_drain_done_fn done, void *userdata);

/*
 * One frame, valid until the function returns. Queues follow each other; @queue counts them, in an
 * order that means nothing.
 */
typedef void (*us_drain_fn)(void *userdata, int queue, const struct us_frame *frame);

/* Hands what was read to @each, in the order of each queue, and forgets it. */
void us_drain_each(struct us_drain *drain, us_drain_fn each, void *userdata);
