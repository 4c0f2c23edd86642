/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seam to the host's switch: for one MAC address, which port its frames go to.
 *
 * A steering belongs to one pair. It remembers what the switch had for the MAC before the first
 * change and puts that back when it is freed or steered to US_PATH_NONE.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "net/steer/park.h"
#include "understudy/pair.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_steer;
struct us_sriov;

struct us_steer_handler {
	/* The result of a us_steer_to() that answered US_STEER_RELEASING: @r and @reason are as
	 * its own would have been. From the loop. */
	void (*steered)(void *userdata, enum us_path path, int r, const struct us_reason *reason);
};

struct us_steer_config {
	uint8_t mac[6];
	const char *standby_port; /* interface behind the standby */
	const char *primary_port; /* interface on the primary's side, NULL: none assigned */

	/* For US_PATH_PARKED, which is refused without a loop. Borrowed. */
	sd_event *loop;
	const struct us_steer_handler *handler;
	void *userdata;
	struct us_park_limits limits;
};

/*
 * Back end `bridge`: static sticky FDB entries of the Linux bridge that both ports belong to,
 * through rtnetlink (RTM_NEWNEIGH, NDA_LLADDR, NTF_MASTER, NTF_STICKY; the bridge's VLAN 0
 * semantics apply). Refused, in words: no such interface, a port in no bridge, ports in two
 * bridges. Changes nothing yet.
 */
int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason);

/* Puts the switch back as it was found. What is held is sent to the standby at once. */
void us_steer_free(struct us_steer *steer);
US_DEFINE_CLEANUP(struct us_steer *, us_steer_free)

/*
 * Forgets without putting back: the entries stay as they are (the daemon restarts). If frames are
 * held, both ports get them, as they then get the next ones: the guest listens at one of them.
 */
void us_steer_abandon(struct us_steer *steer);

/* Names another primary port, or none; the path must not be US_PATH_PRIMARY then. */
int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason);

/*
 * The primary is a VF behind the primary port: its card is told where to send before frames are
 * steered, or released, there; the first time now, for the present path. NULL: it is none. Borrowed
 * until another is set, or none. Refused, in words: the card does not obey.
 */
int us_steer_set_sriov(struct us_steer *steer, struct us_sriov *sriov, struct us_reason *reason);

/*
 * The guest listens on its primary, or does not any more, although frames are not steered there
 * yet: what comes to a VF's card goes to it, and what comes by the bridge stays parked.
 */
void us_steer_set_answering(struct us_steer *steer, bool is_answering);

/*
 * Steers, and verifies by reading back: returns when the switch is known to obey. Takes
 * four rtnetlink exchanges (who is the port, the change, the proof, what is left at the other
 * port): about 150 microseconds on a bridge of 10,000 entries. To US_PATH_PARKED about a
 * millisecond more, to make the parking lot.
 * Refused, in words with the kernel's own (extended acknowledgement), if it does not obey.
 *
 * Away from US_PATH_PARKED, if frames are held, these are released first, to the port that is
 * steered to (for US_PATH_NONE the standby's): then it returns US_STEER_RELEASING, the path stays
 * parked until all are sent, and the handler gets the result. Meanwhile another path may be
 * asked for: it takes the place of this one, and there is one result, for the last one asked.
 * The same holds for the card of a VF that says to try again: it is told again by and by, and the
 * path stays until then.
 * If that is US_PATH_PARKED, what is not yet sent simply stays held. Refused, then or later,
 * when the port is gone: the path stays parked.
 */
enum {
	US_STEER_RELEASING = US_PARK_RELEASING,
};
int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason);

/*
 * Makes the parking lot ahead of a us_steer_to(US_PATH_PARKED) that must be quick. It is kept until
 * frames were parked and released, or until us_steer_drop_park(). 0, US_REFUSED with the reason, or
 * a negative errno.
 */
int us_steer_make_park(struct us_steer *steer, struct us_reason *reason);

/* The parking lot was not needed: it goes within a second, unless frames are parked there now. */
void us_steer_drop_park(struct us_steer *steer);

/*
 * Gives the guest a frame that arrived for it elsewhere: before what is parked, or, if nothing
 * is, out of the port of the present path (for US_PATH_NONE the standby's), past the switch and
 * paced as a release is, of which no handler is told. A full lot drops and counts.
 * Refused, in words: no such port, or no lot could be made.
 */
int us_steer_deliver(struct us_steer *steer, const struct us_frame *frame,
		     struct us_reason *reason);

/* The parking lot, to take frames out or put them in while parked; NULL if there is none. */
struct us_park *us_steer_park(struct us_steer *steer);

/* All that was held so far, in this parking lot and those before it; `frames` and `frames_max` are
 * of this one. */
void us_steer_counts(const struct us_steer *steer, struct us_park_counts *ret_counts);

/* What the switch does now, by looking: NONE when no entry like ours is there. */
int us_steer_path(struct us_steer *steer, enum us_path *ret_path);

/*
 * What was found before the first change, as one line of text, and back (for a daemon's
 * restart): "" stands for nothing. Known from us_steer_new_*() on, so that it can be written
 * down before the first change. After us_steer_restore() the entries that are there count as
 * ours. -ENOBUFS: @size is too small; -EBADMSG: no such text.
 */
int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size);
int us_steer_restore(struct us_steer *steer, const char *text);
