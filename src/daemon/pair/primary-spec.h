/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a SPEC names: "pool:NAME", "vfio:0000:5e:00.2" or "emulated:MODEL,port=IFNAME[,mac=MAC]".
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "pci/pools.h"
#include "util/error.h"
#include "util/mac.h"
#include "vmm/vmm.h"

struct us_primary_spec {
	char text[128];
	char model[US_DEVICE_NAME_MAX]; /* "vfio-pci" or an emulated NIC */
	char pool[US_POOL_NAME_SIZE];	/* of a pool, else "" */
	char host[16];			/* vfio: the PCI address, else ""; pool: once reserved */
	char port[IF_NAMESIZE];		/* emulated: the tap; vfio: the PF once reserved */
	bool has_mac;
	uint8_t mac[US_MAC_BYTES];
};

int us_primary_spec_parse(const char *text, struct us_primary_spec *ret_spec,
			  struct us_reason *reason);
/* Whether it is a VFIO device, of a pool or by its address. */
bool us_primary_spec_is_vfio(const struct us_primary_spec *spec);
/* Refused if it names a MAC address other than the standby's, @mac. */
int us_primary_spec_check_mac(const struct us_primary_spec *spec, const char *pair_name,
			      const uint8_t mac[US_MAC_BYTES], struct us_reason *reason);
/* Whether its port can take the place of the standby's. */
int us_primary_spec_check_port(const struct us_primary_spec *spec, const char *standby_port,
			       struct us_reason *reason);
/* Replaces an alternative name of an interface by its own: one port is not taken for two. */
int us_port_resolve(char port[IF_NAMESIZE], struct us_reason *reason);
