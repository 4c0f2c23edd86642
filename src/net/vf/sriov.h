/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VF's share of the switch inside its card, set on the PF through rtnetlink (IFLA_VF_*).
 *
 * In legacy mode the card itself decides by MAC address which VF a frame goes to, and gives the PF,
 * and so the host's bridge, what belongs to none. A VF that had the guest's MAC while hidden would
 * swallow every frame for it. So a hidden one has a locally administered address, made of the PF's
 * and the VF's number, and known again after a restart.
 *
 * While the guest has the VF, it has the MAC as well. A guest's driver may read it anew at any
 * reset, also in its own removal, and Linux's net_failover finds the pair of what is removed by
 * that address: with another one the guest keeps the interface for ever ("waiting for eth2 to
 * become free", seen with igbvf).
 *
 * While frames are to come by the bridge, to the standby or to the parking lot, the PF *listens*:
 * it asks its card for what is for the MAC, like a second receiver (the "self" entries of
 * bridge(8)). A card gives such a frame to both, or to the PF alone: either way none is lost while
 * the guest's driver starts or stops, which nobody can see from here. It also is how the VFs of
 * other guests reach this one on its standby: a VF's frame to a MAC that its card does not know
 * leaves for the wire. A card that gives it to the VF alone loses what comes while that has no
 * driver.
 *
 * In switchdev mode a VF has a port of its own on the host, its representor, which the host's
 * bridge sends to: then the MAC stays assigned, because it steers nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_sriov;

struct us_sriov_config {
	const char *port; /* interface of the PF */
	unsigned index;	  /* of the VF */
	uint8_t mac[6];	  /* the guest's */
	bool has_representor;
};

/*
 * Looks at the VF. @found is what us_sriov_save() once said of it, so that a restart does not take
 * ours for what was there; "" or NULL: what is there now is as found. Changes nothing.
 * Refused, in words: no such PF or VF.
 */
int us_sriov_new(struct us_sriov **ret_sriov, const struct us_sriov_config *config,
		 const char *found, struct us_reason *reason);
void us_sriov_free(struct us_sriov *sriov);
US_DEFINE_CLEANUP(struct us_sriov *, us_sriov_free)

/* What the PF had for the VF, as a line of text. -ENOBUFS: @size is too small. */
int us_sriov_save(const struct us_sriov *sriov, char *ret_text, size_t size);

/* Whether the guest has the VF, or may have it: then it has the MAC. True if that is new. */
bool us_sriov_set_shown(struct us_sriov *sriov, bool is_shown);

/* Where the card is to send what is for the MAC. */
enum us_sriov_target {
	US_SRIOV_AWAY,	 /* onto the wire: the guest is not on this host */
	US_SRIOV_BRIDGE, /* to the PF, and so to the bridge */
	US_SRIOV_GUEST,	 /* straight to the guest */
};

/*
 * Sets, and verifies by reading back; what is set already is left alone. US_SRIOV_AGAIN: the PF
 * says to try again, because the VF is being reset; it is to be asked again, every
 * US_SRIOV_PAUSE_USEC and so many times at most. Refused, in words with the kernel's own, if it
 * does not obey; a PF that cannot listen does without.
 */
enum {
	US_SRIOV_AGAIN = US_REFUSED + 8, /* beside what steer.h has of its own */
	US_SRIOV_TRIES = 10,
	US_SRIOV_PAUSE_USEC = 10 * 1000,
};
int us_sriov_steer(struct us_sriov *sriov, enum us_sriov_target to, struct us_reason *reason);
/* The same for a thread: asks again itself. */
int us_sriov_steer_blocking(struct us_sriov *sriov, enum us_sriov_target to,
			    struct us_reason *reason);

/* How it stands: for who wants to know whether all is well. */
struct us_sriov_status {
	uint8_t mac[6];	    /* that the VF has now */
	bool is_as_set;	    /* … which is the one that it was told last, if it was */
	bool cannot_listen; /* the PF, when it was to: what comes is lost while no driver has the VF
			     */
	unsigned index;
};
/* Refused, in words: no such PF or VF any more. */
int us_sriov_status(const struct us_sriov *sriov, struct us_sriov_status *ret_look,
		    struct us_reason *reason);

/* What the PF has for a VF besides its MAC; -1: as it was found. */
struct us_sriov_settings {
	int vlan, qos;		/* 802.1Q, 0 to 4094 and 0 to 7 */
	int min_rate, max_rate; /* Mbit/s, 0: no limit */
	int spoof_check, trust; /* 0 or 1 */
};

/* Both are for threads: they ask again themselves. */

/* Sets, and verifies by reading back. Refused, in words: the PF, or its driver, cannot. */
int us_sriov_apply_settings(struct us_sriov *sriov, const struct us_sriov_settings *settings,
			    struct us_reason *reason);

/* All as it was found: MAC, VLAN, spoof checking, trust and rates. */
int us_sriov_put_back(struct us_sriov *sriov, struct us_reason *reason);
