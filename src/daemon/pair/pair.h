/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pairs on this host: struct us_pairs has all of them, struct us_host_pair is one. A pair
 * turns what it observes of its VM and of the switch into events of its engine (core/pair.c), and
 * performs the effects that the engine answers with. It decides nothing.
 *
 * A pair belongs to a VM, of which it sees struct us_pair_vm only. It tells the rooms above
 * through struct us_pairs_handler.
 */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/pair/spec.h"
#include "util/list.h"
#include "vmm/vmm.h"

struct us_host_pair;
struct us_host_vf;
struct us_pairs;
struct us_park;
struct us_park_budget;
struct us_steer;
struct us_vfs;

/* What a pair sees of its VM. The VM owns it and keeps it up to date. */
struct us_pair_vm {
	char name[US_NAME_MAX];
	struct us_vmm *vmm;
	enum us_vm_state state;
	enum us_transfer transfer;
	bool is_expected;     /* a domain that will arrive */
	bool has_left;	      /* the guest has moved, and its VMM is lost since */
	bool is_prepared;     /* by Prepare, until Finish; survives a restart */
	struct us_list pairs; /* struct us_host_pair */
};

/* What a pair begins with, besides. */
struct us_pair_start {
	bool hold;
	bool is_inspected;	    /* the standby's MAC address was just read from the VMM */
	const char *original_entry; /* us_host_pair_original_entry() before a restart, or NULL */
};

/* What the rooms above keep for a pair. Each has one, which it makes and frees. */
struct us_pair_slots {
	struct us_pair_migration *migration;
	struct us_transition_counts *metrics;
};

/* ---- pairs.c: all of them ---- */

struct us_pairs_config {
	sd_event *loop;
	struct us_vfs *vfs;
	uint64_t park_bytes; /* for the parked frames of all pairs; 0: the default */
};

struct us_pairs_handler {
	/* A pair is being made: sets up its slots. 0 or -errno, which undoes the pair. */
	int (*made)(void *userdata, struct us_host_pair *pair);
	/* It is being freed: frees its slots. */
	void (*freed)(void *userdata, struct us_host_pair *pair);
	/* The engine made a step for @event; it was @before. */
	void (*stepped)(void *userdata, struct us_host_pair *pair, const struct us_pair *before,
			const struct us_event *event);
	/* The primary has moved from @from. Unless @moved, only the path or the detail changed. */
	void (*moved)(void *userdata, struct us_host_pair *pair, enum us_primary from, bool moved);
	/* The original entry is known now: saves it before the switch is changed. */
	void (*save)(void *userdata, struct us_host_pair *pair);
	/* The VMM has the standby that the pair was made with. */
	void (*inspected)(void *userdata, struct us_host_pair *pair);
	/* A step or a request is over: what waits for pairs is to be checked. */
	void (*settled)(void *userdata);
};

/* Borrows everything in @config. Returns 0 or -errno. */
int us_pairs_new(struct us_pairs **ret_pairs, const struct us_pairs_config *config,
		 const struct us_pairs_handler *handler, void *userdata);
/* From now on a pair that is freed keeps its VF reserved, for the next daemon. */
void us_pairs_stop(struct us_pairs *pairs);
/* After all pairs are gone. */
void us_pairs_free(struct us_pairs *pairs);

/* NULL: there is none of this name. */
struct us_host_pair *us_pairs_find(const struct us_pairs *pairs, const char *name);
/* The pair with that MAC address, or NULL. */
struct us_host_pair *us_pairs_find_mac(const struct us_pairs *pairs,
				       const uint8_t mac[US_MAC_BYTES]);
/* The first one for NULL; NULL after the last. */
struct us_host_pair *us_pairs_next(const struct us_pairs *pairs, const struct us_host_pair *pair);
/* The same, of one VM. */
struct us_host_pair *us_pair_vm_next(const struct us_pair_vm *vm, const struct us_host_pair *pair);
/* Every pair; the body frees none. */
#define us_pairs_for_each(pair, pairs)                                                             \
	for (pair = us_pairs_next(pairs, NULL); pair; pair = us_pairs_next(pairs, pair))

const struct us_park_budget *us_pairs_park_budget(const struct us_pairs *pairs);

/* ---- host-pair.c: one ---- */

/*
 * Makes a pair of @vm, which it borrows, and begins with what it observes of the VM and the host.
 * Returns 0, or a negative errno: -EINVAL if @start->original_entry is too long.
 */
int us_host_pair_new(struct us_host_pair **ret_pair, struct us_pairs *pairs, struct us_pair_vm *vm,
		     const struct us_pair_spec *spec, const struct us_pair_start *start);
/*
 * Before a pair is freed whose VM runs on: removes its entry from the switch if the path is the
 * standby, because a later pair would take the entry for somebody else's. If the path is the
 * primary, the entry stays: the guest listens there.
 */
void us_host_pair_detach(struct us_host_pair *pair);
/* Leaves the switch and the primary in the VM as they are. */
void us_host_pair_free(struct us_host_pair *pair);
/* Feeds an event to the engine; after the present step, if one is being made. */
void us_host_pair_feed(struct us_host_pair *pair, struct us_event event);
/* Assigns another primary, or none if @spec is NULL. The present one is hidden and released first.
 */
void us_host_pair_assign(struct us_host_pair *pair, const struct us_primary_spec *spec);

/* The pair's VM stands for a domain that will arrive. */
void us_host_pair_observe_expected(struct us_host_pair *pair);

/* Its domain declares the pair, which somebody had added by hand. */
void us_host_pair_set_declared(struct us_host_pair *pair);

/* The pair's VM was adopted, and may be another one: observes everything anew. */
void us_host_pair_vm_adopted(struct us_host_pair *pair);

/* ---- primary-check.c ---- */

/*
 * Whether what @spec names could be reserved for @pair now: it exists, no other pair claims it, and
 * its port can take the place of the standby's. @pair is NULL if it is not made yet. Fills in
 * @spec->port of a VF. Returns 0, US_REFUSED or a negative errno.
 */
int us_primary_spec_check(struct us_pairs *pairs, const struct us_host_pair *pair,
			  struct us_primary_spec *spec, const char *standby_port,
			  struct us_reason *reason);

/* ---- What others see; all of it is borrowed ---- */

const struct us_pair_spec *us_host_pair_spec(const struct us_host_pair *pair);
const char *us_host_pair_name(const struct us_host_pair *pair);
/* The primary's id in the VM. */
const char *us_host_pair_device(const struct us_host_pair *pair);
const struct us_pair *us_host_pair_engine(const struct us_host_pair *pair);
struct us_pair_vm *us_host_pair_vm(const struct us_host_pair *pair);
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
/* When someone else was last seen to have changed the switch; 0: never. */
uint64_t us_host_pair_changed_usec(const struct us_host_pair *pair);
/* Whether a primary is assigned, or will be when the present one is given back. */
bool us_host_pair_wants_primary(const struct us_host_pair *pair);
/* Whether its `primary` is in use: from the assignment until the device is released. */
bool us_host_pair_has_primary(const struct us_host_pair *pair);

/* Counts requests to the VMM that name the pair: it is not freed before they are answered. */
void us_host_pair_begin_request(struct us_host_pair *pair);
void us_host_pair_end_request(struct us_host_pair *pair);
bool us_host_pair_has_requests(const struct us_host_pair *pair);
