/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of VFs, as the administrator declares them in understudy-pools.conf(5). A line is a word
 * and its value; "#" begins a comment:
 *
 *     neighbours veth0        before the first pool: a port of a PF's bridge
 *     pool fast
 *         pf enp94s0f0        its VFs; also: vf ADDRESS, network LABEL (PFs with that alias)
 *         create 8            where a PF has none
 *         vlan 100            also: qos, min-rate, max-rate, spoof-check, trust
 */
#pragma once

#include <net/if.h>

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

/* The settings of each VF of a pool on its PF. */
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
	unsigned create;		/* VFs to be created on each PF that has none; 0: none */
	int settings[US_POOL_SETTINGS]; /* a value, or US_POOL_UNCHANGED */
	size_t count;
	struct us_pool_source sources[US_POOL_SOURCES_MAX];
};

struct us_pools {
	size_t count;
	struct us_pool *list;
	/* Ports with neighbours of the PF behind them (net/vf/neighbours.h). */
	size_t neighbour_count;
	char neighbours[US_POOL_NEIGHBOURS_MAX][IF_NAMESIZE];
};

/* Reads the file, all of it or nothing. A missing file has no pools. Refused with the line number.
 */
int us_pools_read(const char *path, struct us_pools *ret_pools, struct us_reason *reason);
void us_pools_free(struct us_pools *pools);

/* By name, borrowed; NULL if there is none. */
const struct us_pool *us_pools_find(const struct us_pools *pools, const char *name);

typedef int (*us_pool_vf_fn)(const char *address, void *userdata);

/*
 * Calls @each for every VF of the pool, in the order of its sources, until it returns other than 0,
 * and returns that. First creates VFs, where the pool says so and a PF has none: that can take many
 * seconds. Refused: no such PF, a PF without SR-IOV, or a PF without VFs.
 */
int us_pool_each(const char *sysfs, const struct us_pool *pool, us_pool_vf_fn each, void *userdata,
		 struct us_reason *reason);
