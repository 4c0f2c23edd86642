/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stopped VMM has not read: the frames that wait in the queues of its tap. They are
 * taken out through the VMM's own descriptors (pidfd_getfd(2)), which needs CAP_SYS_PTRACE; one
 * descriptor per queue, with or without vhost-net, which lets go of its queue at the stop.
 *
 * Only for a VMM that stands still: what is taken here it never sees.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

/*
 * One frame, with what its sender left to be done to it (checksum, segmentation). Queues follow
 * each other; @queue counts them, in no order that means anything.
 */
typedef void (*us_drain_fn)(void *userdata, int queue, const struct virtio_net_hdr *header,
			    const uint8_t *frame, size_t length);

/* Whether the descriptors of process @pid may be borrowed at all. Cheap. */
bool us_drain_is_permitted(pid_t pid);

/*
 * Whether us_drain_tap() could take anything from process @pid; takes nothing. Looks at each of
 * its descriptors once: about a millisecond. 0, or refused in the same words.
 */
int us_drain_check(pid_t pid, const char *interface, struct us_reason *reason);

/*
 * Takes all frames that wait for process @pid in the tap @interface, in the order of each queue,
 * and hands them to @each. Refused, in words: no such process, no permission, or it does not
 * have that tap open.
 */
int us_drain_tap(pid_t pid, const char *interface, us_drain_fn each, void *userdata,
		 struct us_reason *reason);
