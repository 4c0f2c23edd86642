/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pairs on this host: struct us_host_pair is one. A pair turns what it observes of its VM and
 * of the switch into events of its engine (core/pair.c), and performs the effects that the engine
 * answers with. It decides nothing.
 */
#pragma once

#include "daemon/pair/options.h"
#include "daemon/pair/primary-spec.h"
#include "understudy/pair.h"
#include "util/mac.h"
#include "util/name.h"
#include "vmm/vmm.h"

struct us_host_pair;
struct us_host_vf;
struct us_host_vm;
struct us_park;
struct us_steer;

/* What is asked for. It does not change while the pair lives, except for the primary. */
struct us_pair_spec {
	char name[US_NAME_MAX];
	char standby[US_DEVICE_NAME_MAX];
	char port[IF_NAMESIZE];	      /* of the standby */
	char bus[US_DEVICE_NAME_MAX]; /* for the primary; "" for any */
	char group[40];		      /* UUID or "" */
	uint8_t mac[US_MAC_BYTES];
	uint16_t mtu, queue_pairs; /* of the standby */
	enum us_mode mode;
	struct us_primary_spec primary; /* `text` is "" when none is assigned */
	struct us_pair_options options;
};

/* What a pair begins with, besides. */
struct us_pair_start {
	bool hold;
	bool is_inspected;	    /* the VMM has just told the standby's MAC address */
	const char *original_entry; /* us_host_pair_original_entry() before a restart, or NULL */
};

/* What each of the rooms above keeps for a pair. Each has one, which it makes and frees. */
struct us_pair_slots {
	struct us_pair_migration *migration;
	struct us_pair_metrics *metrics;
};

/* What the rooms above do when something happens to a pair. */
struct us_pairs_handler {
	/* It is being made: sets up its slots. 0 or -errno, which undoes the pair. */
	int (*made)(void *userdata, struct us_host_pair *pair);
	/* It is being freed: frees its slots. Also for one that was not made. */
	void (*freed)(void *userdata, struct us_host_pair *pair);
	/* The engine made a step for @event; it was @before. */
	void (*stepped)(void *userdata, struct us_host_pair *pair, const struct us_pair *before,
			const struct us_event *event);
	/* The primary has moved from @from; unless @moved, only its path or its detail changed. */
	void (*moved)(void *userdata, struct us_host_pair *pair, enum us_primary from, bool moved);
	/* The original entry is known: saves it before the switch is changed. */
	void (*save)(void *userdata, struct us_host_pair *pair);
	/* The VMM has the standby that the pair was made with. */
	void (*inspected)(void *userdata, struct us_host_pair *pair);
	/* A step or a request is over: what waits for pairs is to be checked. */
	void (*settled)(void *userdata);
};

/* The rest is copied. The pair begins with what it finds on the host. 0 or -errno. */
int us_host_pair_new(struct us_host_pair **ret_pair, struct us_host_vm *vm,
		     const struct us_pair_spec *spec, const struct us_pair_start *start);
/*
 * The pair is to be forgotten, as it is: an entry that leads to its primary stays, because the
 * guest listens there. An entry that leads to its standby goes: the next pair would take it for
 * somebody else's.
 */
void us_host_pair_detach(struct us_host_pair *pair);
void us_host_pair_free(struct us_host_pair *pair);
void us_host_pair_feed(struct us_host_pair *pair, struct us_event event);
/* Observes VM, switch and device anew: after the pair was made, and after each adoption; then
 * first whether the standby still has the pair's MAC address, unless `is_inspected`. */
void us_host_pair_observe(struct us_host_pair *pair);
/*
 * Compares the switch with the path that the engine knows, and has it changed back. False: to be
 * called again, a second later.
 */
bool us_host_pair_recheck(struct us_host_pair *pair);
/* Another primary, or none for NULL; the present one is hidden and given back first. */
void us_host_pair_assign(struct us_host_pair *pair, const struct us_primary_spec *spec);

/* ---- What others see; all of it is borrowed ---- */

const struct us_pair_spec *us_host_pair_spec(const struct us_host_pair *pair);
const char *us_host_pair_name(const struct us_host_pair *pair);
const struct us_pair *us_host_pair_engine(const struct us_host_pair *pair);
struct us_pair_slots *us_host_pair_slots(struct us_host_pair *pair);
/* NULL while the switch cannot be found. */
struct us_steer *us_host_pair_steer(const struct us_host_pair *pair);
/* The buffer that its frames are parked in now; NULL: none are. */
struct us_park *us_host_pair_park(const struct us_host_pair *pair);
/* NULL: no VF is, or is to be, reserved. */
struct us_host_vf *us_host_pair_vf(const struct us_host_pair *pair);
/* What the host or the VMM said last, if it refused; else "". */
const char *us_host_pair_detail(const struct us_host_pair *pair);
/* What the switch had before the pair, us_steer_save(); NULL: not known yet. */
const char *us_host_pair_original_entry(const struct us_host_pair *pair);
/* When somebody else was last seen to have changed the switch; 0: never. */
uint64_t us_host_pair_changed_usec(const struct us_host_pair *pair);
/* Whether a primary is assigned, or will be once the present one is given back. */
bool us_host_pair_wants_primary(const struct us_host_pair *pair);
/* Whether it has what its `primary` names: from the wish for it until it is given back. */
bool us_host_pair_has_primary(const struct us_host_pair *pair);
/* Whether the guest has not released the primary in time. */
bool us_host_pair_is_overdue(const struct us_host_pair *pair);

/* Requests to the VMM that name the pair and are not answered: it is not freed before. */
void us_host_pair_begin_request(struct us_host_pair *pair);
void us_host_pair_end_request(struct us_host_pair *pair);
bool us_host_pair_has_requests(const struct us_host_pair *pair);
