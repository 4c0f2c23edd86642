/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VF's part in the switch of its card, set on the PF through rtnetlink (IFLA_VF_*).
 *
 * In legacy mode, the card decides by MAC address which VF gets a frame. Frames for other addresses
 * go to the PF, and so to the host's bridge. A hidden VF with the guest's MAC address would discard
 * every frame for the guest. Therefore a hidden VF has a locally administered address, derived from
 * the PF's address and the VF's number, so that it is the same after a restart.
 *
 * As long as the guest has the VF, the VF has the guest's MAC address. A driver may read the
 * address at any reset, also while it is removed; Linux's net_failover finds the pair of a removed
 * device by its address. With another address, the guest keeps the interface for ever ("waiting for
 * eth2 to become free", seen with igbvf).
 *
 * As long as frames shall come by the bridge (to the standby or the park tap), the PF *listens*:
 * its card's unicast filter has the guest's MAC address, too (the "self" entries of bridge(8)). A
 * card gives such a frame to both functions, or to the PF alone. So no frame is lost while the
 * guest's driver starts or stops, which the host cannot see. The VFs of other guests also reach
 * this guest on its standby in this way: a card sends a VF's frame for an unknown address to the
 * wire. A card that gives the frame to the VF alone loses frames while no driver has the VF.
 *
 * In switchdev mode, a VF has its own port on the host, the representor, and the host's bridge
 * sends to that port. There the VF always has the guest's MAC address, because the address steers
 * nothing.
 */
#pragma once

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
 * Reads the VF's settings. @original is the text of us_sriov_save() from before the first change,
 * so that a restart does not take our settings for the original ones; "" or NULL: the present
 * settings are the original ones. Changes nothing. Refused: no such PF or VF.
 */
int us_sriov_new(struct us_sriov **ret_sriov, const struct us_sriov_config *config,
		 const char *original, struct us_reason *reason);
void us_sriov_free(struct us_sriov *sriov);
US_DEFINE_CLEANUP(struct us_sriov *, us_sriov_free)

/* The original settings, as a line of text. -ENOBUFS: @size is too small. */
int us_sriov_save(const struct us_sriov *sriov, char *ret_text, size_t size);

/* Whether the guest has the VF, or may have it. Returns true if that is new. */
bool us_sriov_set_shown(struct us_sriov *sriov, bool is_shown);

/* Where the card sends frames for the guest's MAC address. */
enum us_sriov_target {
	US_SRIOV_AWAY,	 /* to the wire: the guest is not on this host */
	US_SRIOV_BRIDGE, /* to the PF, and so to the bridge */
	US_SRIOV_GUEST,	 /* to the VF */
};

/*
 * Sets, and verifies by reading back. Leaves alone a setting that is right already. US_SRIOV_AGAIN:
 * the card is busy, because the VF is being reset; call again, every US_SRIOV_PAUSE_USEC and at
 * most US_SRIOV_TRIES times. Refused, with the kernel's own words: the card does not obey. A card
 * without a unicast filter is not refused.
 */
enum {
	US_SRIOV_AGAIN = US_REFUSED + 8, /* distinct from the return codes of net/steer/steer.h */
	US_SRIOV_TRIES = 10,
	US_SRIOV_PAUSE_USEC = 10 * 1000,
};
int us_sriov_steer(struct us_sriov *sriov, enum us_sriov_target target, struct us_reason *reason);
/* The same for a thread: retries itself. */
int us_sriov_steer_blocking(struct us_sriov *sriov, enum us_sriov_target target,
			    struct us_reason *reason);

/* The state of the VF, for a diagnosis. */
struct us_sriov_status {
	uint8_t mac[6];	    /* present MAC address of the VF */
	bool is_as_set;	    /* the address is the last one that was set, or none was set */
	bool cannot_listen; /* the last US_SRIOV_BRIDGE found no filter, or a full one */
	unsigned index;
};
/* Refused: the PF or the VF is gone. */
int us_sriov_get_status(const struct us_sriov *sriov, struct us_sriov_status *ret_status,
			struct us_reason *reason);

/* The settings of a VF besides its MAC address; -1: the original one. */
struct us_sriov_settings {
	int vlan, qos;		/* 802.1Q, 0 to 4094 and 0 to 7 */
	int min_rate, max_rate; /* Mbit/s, 0: no limit */
	int spoof_check, trust; /* 0 or 1 */
};

/* Both of these are for threads, and retry themselves. */

/* Sets, and verifies by reading back. Refused: the PF's driver cannot do it. */
int us_sriov_apply_settings(struct us_sriov *sriov, const struct us_sriov_settings *settings,
			    struct us_reason *reason);

/* Restores all original settings, the MAC address included. */
int us_sriov_put_back(struct us_sriov *sriov, struct us_reason *reason);
