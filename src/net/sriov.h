/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VF's share of the switch inside its card, set on the PF through rtnetlink (IFLA_VF_*).
 *
 * In legacy mode the card itself decides by MAC address which VF a frame goes to, and gives the PF,
 * and so the host's bridge, what belongs to none. So a primary's MAC is *withdrawn* from its VF
 * while frames are to come by the bridge, to the standby or to the parking lot, and *assigned* to
 * it while they are to go straight to the guest. A VF that kept it while hidden would swallow every
 * frame for its guest. The address it has instead is locally administered, made of the PF's
 * and the VF's number, and known again after a restart.
 *
 * While the guest has the VF its address stays assigned, even while frames are to be parked. A guest's
 * driver may read it anew at any reset, also in its own removal, and Linux's net_failover finds
 * the pair of what is removed by that address: with another one the guest keeps the interface
 * for ever ("waiting for eth2 to become free", seen with igbvf).
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

/* Whether the guest has the VF, or may have it: then withdrawing waits until it has not. */
void us_sriov_set_shown(struct us_sriov *sriov, bool is_shown);

/*
 * Each of these sets, and verifies by reading back. A PF that answers "try again", because the VF is
 * being reset, is asked again for up to a tenth of a second. Refused, in words with the kernel's
 * own, if it does not obey.
 */
int us_sriov_withdraw(struct us_sriov *sriov, struct us_reason *reason);
int us_sriov_assign(struct us_sriov *sriov, struct us_reason *reason);
/* All as it was found: MAC, VLAN, spoof checking, trust and rates. */
int us_sriov_put_back(struct us_sriov *sriov, struct us_reason *reason);
