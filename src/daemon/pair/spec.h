/* SPDX-License-Identifier: BSD-3-Clause */
/* What was asked for: the primary of a pair, its options, and the pair. */
#pragma once

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "pci/pools.h"
#include "understudy/pair.h"
#include "util/error.h"
#include "util/mac.h"
#include "util/name.h"
#include "vmm/vmm.h"

/* ---- primary-spec.c ---- */

/*
 * What a SPEC names: "pool:NAME", "vfio:0000:5e:00.2" or "emulated:MODEL,port=IFNAME[,mac=MAC]".
 */
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

/* ---- options.c: how a pair buffers frames, and what it does about an idle primary ---- */

/* What happens to the frames that arrive during a transition. */
enum us_handover {
	US_HANDOVER_LOSSLESS,	 /* they are buffered, and arrive late */
	US_HANDOVER_LOW_LATENCY, /* none is buffered, and some are lost */
	US_HANDOVER_N
};

/* What to do about a guest that does not use its visible primary. */
enum us_unused {
	US_UNUSED_REPORT,
	US_UNUSED_HIDE,	  /* … and hide it, as one that was never ready */
	US_UNUSED_IGNORE, /* do not check */
	US_UNUSED_N
};

struct us_pair_options {
	enum us_handover handover;
	enum us_unused unused;
	uint64_t frames, bytes; /* buffered at once */
	uint64_t park_usec;	/* buffered in one transition, at most */
};

/*
 * Reads the members "park", "handover" and "unused" of @object; a missing member has its
 * default. Returns 0, or US_REFUSED for a value out of range. Unknown members have been refused
 * before.
 */
int us_pair_options_read(const json_t *object, struct us_pair_options *ret_options,
			 struct us_reason *reason);
/* Sets these members of @object. */
void us_pair_options_write(const struct us_pair_options *options, json_t *object);
/* Configures an engine. */
void us_pair_options_apply(const struct us_pair_options *options, struct us_pair_config *config);

/* ---- A pair ---- */

/* It does not change while the pair lives, except for the primary. */
struct us_pair_spec {
	char name[US_NAME_MAX];
	char standby[US_DEVICE_NAME_MAX];
	char port[IF_NAMESIZE];	      /* of the standby */
	char bus[US_DEVICE_NAME_MAX]; /* for the primary; "" for any */
	char group[40];		      /* UUID or "" */
	uint8_t mac[US_MAC_BYTES];
	uint16_t mtu, queue_pairs; /* of the standby */
	enum us_mode mode;
	bool is_declared;		/* by the domain, which can also take it back */
	struct us_primary_spec primary; /* `text` is "" when none is assigned */
	struct us_pair_options options;
};

/* ---- pair-spec.c ---- */

/*
 * Reads a pair that a daemon has written; the number of queue pairs is the member @queues. A member
 * that may be missing has its default. Returns 0 or US_REFUSED.
 */
int us_pair_spec_read(const json_t *object, const char *queues, struct us_pair_spec *ret_spec,
		      struct us_reason *reason);
