/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering: which port of the host's switch the frames for one MAC address go to.
 *
 * A steering belongs to one pair. It works with any kind of switch that implements
 * net/steer/switch.h, each with its constructor. Before the first change, it records the switch's
 * entries for the MAC address. It restores them when it is freed or steered to US_PATH_NONE.
 */
#pragma once

#include "net/park/park.h"
#include "understudy/pair.h"

struct us_steer;
struct us_steer_switch;
struct us_sriov;

struct us_steer_config {
	uint8_t mac[6];
	const char *standby_port; /* interface behind the standby */
	const char *primary_port; /* interface on the primary's side, NULL: none assigned */

	/* For US_PATH_PARKED, which is refused without a loop. Borrowed. */
	sd_event *loop;
	/* The result of a us_steer_to() that returned US_PARK_RELEASING: @r and @reason are what
	 * it would have returned. From the loop. */
	void (*steered)(void *userdata, enum us_path path, int r, const struct us_reason *reason);
	void *userdata;
	struct us_park_limits limits;
};

/*
 * Steering by a Linux bridge. Both ports belong to the same one. Sets one static sticky FDB entry
 * through rtnetlink (RTM_NEWNEIGH with NDA_LLADDR, NTF_MASTER and NTF_STICKY; the bridge's rules
 * for VLAN 0 apply). Changes nothing yet. Refused: no such interface, a port of no bridge, ports of
 * different bridges.
 */
int us_steer_new_bridge(struct us_steer **ret_steer, const struct us_steer_config *config,
			struct us_reason *reason);

/* The common part of the constructors: back ends call it. Takes @back_end, also if it fails. */
int us_steer_new(struct us_steer **ret_steer, const struct us_steer_config *config,
		 struct us_steer_switch *back_end, struct us_reason *reason);

/* Restores the switch. Parked frames are sent to the standby at once. */
void us_steer_free(struct us_steer *steer);
US_DEFINE_CLEANUP(struct us_steer *, us_steer_free)

/*
 * Frees it without restoring the switch, because the daemon restarts. If frames are parked, both
 * ports get them, and the switch floods the next ones: the guest listens at one of the ports.
 */
void us_steer_abandon(struct us_steer *steer);

/* Sets another primary port, NULL: none. The path must not be US_PATH_PRIMARY. */
int us_steer_set_primary(struct us_steer *steer, const char *port, struct us_reason *reason);

/*
 * The primary is a VF behind the primary port. From now on its card is told about each path before
 * the switch is, and now about the present path. NULL: the primary is no VF. Borrows @sriov until
 * the next call. Refused: the card does not obey.
 */
int us_steer_set_sriov(struct us_steer *steer, struct us_sriov *sriov, struct us_reason *reason);

/*
 * Whether the guest receives on its primary already, although the path is not yet US_PATH_PRIMARY:
 * then a VF's card gives frames to the VF. Frames that come by the switch stay parked.
 */
void us_steer_set_answering(struct us_steer *steer, bool is_answering);

/*
 * Steers, and reads back: when it returns 0, the switch obeys. A bridge takes four rtnetlink
 * exchanges: about 150 microseconds with 10,000 FDB entries. The first US_PATH_PARKED takes about
 * a millisecond more, for the park tap. Refused, with the kernel's own words: the switch or the
 * card does not obey.
 *
 * Away from US_PATH_PARKED, parked frames are released first, to the new path's port (for
 * US_PATH_NONE to the standby's). Then it returns US_PARK_RELEASING. The path stays parked until
 * all frames are sent, and @steered gets the result. The same happens while a VF's card is busy:
 * it is told again later. Meanwhile, another path may be asked for. It replaces this one, and there
 * is one result, for the last path. If that is US_PATH_PARKED, frames that are not yet sent stay
 * parked. If the port is gone, it is refused, at once or later, and the path stays parked.
 */
int us_steer_to(struct us_steer *steer, enum us_path path, struct us_reason *reason);

/*
 * Makes the park tap ahead of a us_steer_to(US_PATH_PARKED) that must be quick. It stays until
 * frames were parked and released, or until us_steer_drop_park(). 0, US_REFUSED, or a negative
 * errno.
 */
int us_steer_make_park(struct us_steer *steer, struct us_reason *reason);

/* The park tap is not needed: it goes within a second, unless frames are parked. */
void us_steer_drop_park(struct us_steer *steer);

/*
 * Gives the guest a frame that arrived for it at another host. While frames are parked, it goes
 * before them. Otherwise it goes out of the present path's port (for US_PATH_NONE the standby's),
 * past the switch and paced as a release is; no handler is called. A full buffer drops and counts.
 * Refused: no such port, or no park tap.
 */
int us_steer_deliver(struct us_steer *steer, const struct us_frame *frame,
		     struct us_reason *reason);

/* The park, to take frames out or put frames in; NULL if there is none. */
struct us_park *us_steer_park(struct us_steer *steer);

/* Sums over this park and all before it; `frames` and `frames_max` are of this one. */
void us_steer_counts(const struct us_steer *steer, struct us_park_counts *ret_counts);

/* Asks the switch for the present path: US_PATH_NONE if it has no entry of ours. */
int us_steer_path(struct us_steer *steer, enum us_path *ret_path);

/*
 * The original entries of the switch, as one line of text, "" for none, and back. They are known
 * from the constructor on, so that the daemon can save them before the first change. After
 * us_steer_restore(), the present entries count as ours. -ENOBUFS: @size is too small; -EBADMSG:
 * the text is malformed.
 */
int us_steer_save(const struct us_steer *steer, char *ret_text, size_t size);
int us_steer_restore(struct us_steer *steer, const char *text);
