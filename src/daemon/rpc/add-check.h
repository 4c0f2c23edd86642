/* SPDX-License-Identifier: BSD-3-Clause */
/* The checks of AddPair: whether a pair can be added to a VM of this host. They change nothing. */
#pragma once

#include "daemon/vm/vm.h"

/* A pair that is asked for. */
struct us_add_request {
	struct us_pairs *pairs; /* of this host */
	struct us_host_vm *vm;
	struct us_pair_spec spec; /* without what the VMM knows of the standby */
	bool has_mac;		  /* the caller names the standby's MAC address: `mac` */
	uint8_t mac[US_MAC_BYTES];
};

/*
 * What this host knows: whether the name, the port and the standby are free, whether the primary
 * can be reserved, and whether there is a switch behind the port. Fills in the port's own name, and
 * what us_primary_spec_check() does. Returns 0, US_REFUSED or a negative errno.
 */
int us_add_check_host(struct us_add_request *request, struct us_reason *reason);

/*
 * What the VMM knows of the standby. Checks against other pairs again, because one may have been
 * added meanwhile.
 */
int us_add_check_standby(const struct us_add_request *request, const struct us_vmm_standby *standby,
			 struct us_reason *reason);
