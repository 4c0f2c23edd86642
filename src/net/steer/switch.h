/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operations that steering needs of a kind of switch: the back end's side of steer.h.
 *
 * steer.c owns the path and the park. A back end owns its entries for one MAC address in the
 * switch. It decides nothing: it directs frames to the port that it is given. A port is an
 * interface of this host. The interface assumes nothing else about the switch: it can be a bridge
 * (FDB entries), Open vSwitch (one flow, known by its cookie) or a set of macvtaps.
 */
#pragma once

#include "net/netlink/link.h"
#include "understudy/pair.h"

struct us_steer_ops;

/* A back end's object begins with this. */
struct us_steer_switch {
	const struct us_steer_ops *ops;
	/* Set by steer.c before the first call of an operation. */
	uint8_t mac[6];
	char standby[IF_NAMESIZE];
	char primary[IF_NAMESIZE]; /* "": no primary is assigned */
};

/* All of them return 0, US_REFUSED with the reason, or a negative errno, unless they say so. */
struct us_steer_ops {
	/* Frees the object and changes nothing in the switch. */
	void (*free)(struct us_steer_switch *this);

	/* Finds the interface @name. Refuses one that is no port of a switch of this kind. */
	int (*find_port)(const char *name, struct us_link *ret_port, struct us_reason *reason);

	/* Refuses two ports between which this switch cannot move a MAC address. */
	int (*check_ports)(const struct us_link *standby, const struct us_link *primary,
			   struct us_reason *reason);

	/* Records the switch's entries for the MAC address, for put_back(). Changes nothing. */
	int (*remember)(struct us_steer_switch *this, const struct us_link *standby,
			struct us_reason *reason);

	/*
	 * Makes a port beside @standby for parked frames: a tap (net/park/park-tap.h) that gets
	 * only what direct() sends there, and goes when its descriptor *@ret_fd is closed. The
	 * kernel queues up to @queue_frames for it.
	 */
	int (*make_park)(const struct us_link *standby, uint32_t queue_frames, int *ret_fd,
			 struct us_link *ret_tap, struct us_reason *reason);

	/* From now on frames for the MAC address go to @port. */
	int (*direct)(struct us_steer_switch *this, const struct us_link *port,
		      struct us_reason *reason);

	/* Reads back what direct() has changed. Refused: frames go elsewhere. */
	int (*verify)(const struct us_steer_switch *this, const struct us_link *port,
		      struct us_reason *reason);

	/* Removes what may be left for an interface after frames were directed to another one; ""
	 * and an interface that is gone: does nothing. */
	void (*clear)(const struct us_steer_switch *this, const char *name);

	/* Removes all changes of direct(), and restores the entries that remember() recorded. */
	int (*put_back)(struct us_steer_switch *this, struct us_reason *reason);

	/* Asks the switch where frames go now. @park is the index of the park tap, 0: none. */
	int (*get_path)(const struct us_steer_switch *this, int park, enum us_path *ret_path);

	/* As us_steer_save() and us_steer_restore(). */
	int (*save)(const struct us_steer_switch *this, char *ret_text, size_t size);
	int (*restore)(struct us_steer_switch *this, const char *text);
};
