/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of VFs, as the administrator declares them in understudy-pools.conf(5). A line is a
 * word and its value; "#" begins a comment:
 *
 *     neighbours veth0        not of a pool, before the first: a port of a PF's bridge
 *     pool fast
 *         pf enp94s0f0        its VFs; also: vf ADDRESS, network LABEL (PFs with that alias)
 *         create 8            where its PFs have none
 *         vlan 100            also: qos, min-rate, max-rate, spoof-check, trust
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "pci/sysfs.h"
#include "util/error.h"

enum {
	US_POOL_NAME_SIZE = 32,
	US_POOL_VALUE_SIZE = 64, /* of a source: an interface, an address or a label */
	US_POOLS_MAX = 64,
	US_POOL_SOURCES_MAX = 64,
	US_POOL_CREATE_MAX = 256,
	US_POOL_NEIGHBOURS_MAX = 16,
};

enum us_pool_source_type {
	US_POOL_PF,	 /* by interface */
	US_POOL_VF,	 /* one VF by its PCI address */
	US_POOL_NETWORK, /* every PF whose interface has this alias */
	US_POOL_SOURCES
};

struct us_pool_source {
	enum us_pool_source_type type;
	char value[US_POOL_VALUE_SIZE];
};

/* What each VF of a pool is to have on its PF; US_POOL_UNCHANGED: as it is. */
enum us_pool_setting {
	US_POOL_VLAN,	  /* 0: none, to 4094 */
	US_POOL_QOS,	  /* priority of the VLAN, 0 to 7 */
	US_POOL_MIN_RATE, /* Mbit/s; 0: no limit */
	US_POOL_MAX_RATE,
	US_POOL_SPOOF_CHECK, /* 0 or 1 */
	US_POOL_TRUST,
	US_POOL_SETTINGS
};

enum {
	US_POOL_UNCHANGED = -1,
};

struct us_pool {
	char name[US_POOL_NAME_SIZE];
	unsigned create; /* so many VFs of each PF that has none; 0: as found */
	int settings[US_POOL_SETTINGS];
	size_t count;
	struct us_pool_source sources[US_POOL_SOURCES_MAX];
};

struct us_pools {
	size_t count;
	struct us_pool *list;
	/* Ports behind which VFs have to reach whom the bridge has learned (net/vf/neighbours.h). */
	size_t neighbour_count;
	char neighbours[US_POOL_NEIGHBOURS_MAX][IF_NAMESIZE];
};

/* Reads the file; no file is no pools. Refused, in words with the line's number. */
int us_pools_read(const char *path, struct us_pools *ret_pools, struct us_reason *reason);
void us_pools_free(struct us_pools *pools);

/* By name, borrowed; NULL if there is none. */
const struct us_pool *us_pools_find(const struct us_pools *pools, const char *name);

typedef int (*us_pool_vf_fn)(const char *address, void *userdata);

/*
 * Calls @each for every VF of the pool that there is, in its order, until it returns other than 0,
 * and returns that; VFs are created first where that was asked for and there are none, which can
 * take many seconds. Refused, in words: no such PF, one that cannot have VFs, or has none.
 */
int us_pool_each(const char *sysfs, const struct us_pool *pool, us_pool_vf_fn each, void *userdata,
		 struct us_reason *reason);
