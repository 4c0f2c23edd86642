/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last frames that went out of a port, for a short while: to know which of them a VMM took
 * from its tap and could not give to a guest that had just stopped.
 *
 * QEMU reads its tap once more after the stop; that one frame waits in a queue of its own, which
 * does not migrate. It is the one that went out just before those that are still in the tap.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "net/addresses.h"
#include "net/park.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_mirror;

/* Keeps the last frames that go out of @port, to @mac and others, from now on. Borrows @loop. */
int us_mirror_new(struct us_mirror **ret_mirror, sd_event *loop, const char *port,
		  const uint8_t mac[6], struct us_reason *reason);
void us_mirror_free(struct us_mirror *mirror);
US_DEFINE_CLEANUP(struct us_mirror *, us_mirror_free)

/*
 * The frame that went out just before @next did for the last time; with @next NULL, the last one.
 * Valid until the next frame comes. NULL when that is not known: it did not go out, too many have
 * since, or some were missed.
 */
const struct us_park_frame *us_mirror_before(struct us_mirror *mirror,
					     const struct us_park_frame *next);

/* What the guest with that MAC was seen to use meanwhile. Valid as long as the mirror. */
const struct us_addresses *us_mirror_addresses(const struct us_mirror *mirror);
