/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of pairs, for the files of this room. In the order of their dependencies:
 *
 *   view, options   what others see; options
 *   step            the engine's steps
 *   idle-primary, traffic, switch, primary-check
 *   primary         reserving, plugging and unplugging
 *   observe         what the VMM and the switch say
 *   recheck         changes of the switch by others
 *   host-pair       the table of effects, construction and destruction
 *   pairs           all pairs
 */
#pragma once

#include "daemon/pair/pair.h"
#include "daemon/vf/vf.h"
#include "net/presence/watch.h"
#include "net/park/park.h"
#include "net/steer/steer.h"
#include "util/list.h"
#include "util/optional-string.h"
#include "util/rate.h"
#include "util/timer.h"

struct us_changes;

enum {
	US_QUEUED_EVENTS = 32, /* for one pair, while its engine makes a step */
};

struct us_pairs {
	struct us_pairs_config config;
	const struct us_pairs_handler *handler;
	void *userdata;
	struct us_list list; /* struct us_host_pair, by `of_host` */
	struct us_park_budget park_budget;
	bool is_stopping; /* reserved devices stay reserved */

	/* recheck.c */
	struct us_changes *changes;    /* of the switch, by anyone */
	struct us_timer recheck_timer; /* set while pairs are to be rechecked */
	struct us_rate lost_rate;      /* of log lines about lost notifications */
};

/* Events for a pair whose engine is making a step. */
struct us_event_queue {
	struct us_event events[US_QUEUED_EVENTS];
	unsigned first, count;
};

/* What is done with the engine's answers. */
struct us_step_handler {
	/* One for each type of effect. Only those of STEER and PUBLISH read @effect. */
	void (*perform[US_EFFECT_N])(struct us_host_pair *pair, const struct us_effect *effect);
	/* All events are taken, all effects performed. */
	void (*done)(struct us_host_pair *pair);
};

struct us_host_pair {
	struct us_list link;	/* in us_pair_vm.pairs */
	struct us_list of_host; /* in us_pairs.list */
	struct us_pairs *pairs;
	struct us_pair_vm *vm;
	struct us_pair_slots slots;
	struct us_pair_spec spec;
	char device[US_DEVICE_NAME_MAX]; /* the primary's id in the VM */

	/* step.c */
	struct us_pair engine;
	const struct us_step_handler *step_handler;
	struct us_event_queue *queue; /* while the engine makes a step */
	struct us_timer deadline_timer;
	unsigned requests; /* to the VMM, not answered: they name the pair */
	char *detail; /* an optional string: what the host or the VMM said last, if it refused */

	/* primary.c */
	struct us_host_vf *vf; /* NULL: no VF is, or is to be, reserved */
	bool assign_next;      /* spec.primary is to be assigned once the old one is given back */

	/* switch.c */
	struct us_steer *steer;	 /* NULL while the switch cannot be found */
	bool has_original_entry; /* the next one is known, perhaps since before a restart */
	char original_entry[256];
	struct us_park_counts logged; /* the counts of parked frames, when last logged */

	/* traffic.c */
	struct us_watch *watch;	       /* of the primary, until the guest uses it */
	struct us_watch *unplug_watch; /* of the standby, while the guest releases the primary */

	/* observe.c */
	bool is_inspected; /* the VMM has reported the standby's MAC address since its adoption … */
	bool is_mismatched; /* … which is not the pair's: the pair does nothing */

	/* recheck.c */
	bool must_recheck; /* something has changed in the switch */
	bool must_query;   /* whether the VM has the primary: libvirt did not tell yet */
	struct us_rate recheck_rate;
	uint64_t differed_usec; /* when the switch last was not as it should be; 0: never */
	uint64_t changed_usec;	/* when somebody else was last seen to have changed it; 0: never */

	/* idle-primary.c */
	struct us_timer idle_timer;		 /* set while the use of the primary is checked */
	uint64_t standby_frames, primary_frames; /* from the guest, at the last check */
	unsigned idle_checks;			 /* that found it idle, one after the other */
	bool is_idle;
};

/* ---- step.c ---- */

/* Feeds an answer. @reason becomes the pair's detail unless @on. */
void us_host_pair_answer(struct us_host_pair *pair, enum us_event_type type, bool on,
			 const char *reason);
/* Passes on @r of a request to the VMM; if that is 0, the pair will be answered. */
int us_host_pair_requested(struct us_host_pair *pair, int r);

/* ---- idle-primary.c: whether the guest uses its visible primary ---- */

/* After each step: checks from time to time while the primary is visible. */
void us_idle_primary_follow(struct us_host_pair *pair);
/* Of idle_timer. */
void us_idle_primary_check(void *userdata);

/* ---- traffic.c: whether the guest carries traffic on its primary ---- */

void us_host_pair_watch(struct us_host_pair *pair, const struct us_effect *effect);
/* Ends the watch; in the NIC, the guest does not answer any more. */
void us_host_pair_unwatch(struct us_host_pair *pair, const struct us_effect *effect);
/* Ends the watch, and leaves the NIC as it is. */
void us_host_pair_free_watch(struct us_host_pair *pair);
/* After each step: looks for the end of an unplug. */
void us_host_pair_follow_unplug(struct us_host_pair *pair);

/* ---- switch.c ---- */

/* Finds the switch: 0 once pair->steer is set. A tap or a bridge may appear later than the pair. */
int us_host_pair_find_switch(struct us_host_pair *pair, struct us_reason *reason);
/*
 * Whether the tap of a domain is gone: libvirt removes it when the domain ends, before anybody
 * tells. That is no problem to report, and nobody has changed the switch.
 */
bool us_host_pair_has_lost_tap(const struct us_host_pair *pair);
/* Has the switch know the VF, and the NIC where it is. pair->steer is set. */
int us_host_pair_sync_vf(struct us_host_pair *pair, struct us_reason *reason);
void us_host_pair_steer_to(struct us_host_pair *pair, const struct us_effect *effect);

/* ---- primary.c ---- */

void us_host_pair_reserve(struct us_host_pair *pair, const struct us_effect *effect);
/* Gives the VF back, if there is one. */
void us_host_pair_release(struct us_host_pair *pair, const struct us_effect *effect);
void us_host_pair_plug(struct us_host_pair *pair, const struct us_effect *effect);
void us_host_pair_unplug(struct us_host_pair *pair, const struct us_effect *effect);
/* Finds the VF of a pair that is older than this daemon. */
void us_host_pair_adopt_vf(struct us_host_pair *pair);
/* After each step. */
void us_host_pair_follow_vf(struct us_host_pair *pair);
/* Asks the VMM, which has the primary, how long the guest will take to release it. */
void us_host_pair_query_unplug_delay(struct us_host_pair *pair);

/* ---- observe.c ---- */

/* Has the pair rechecked at the recheck timer's next turn, which is in @usec or earlier. */
void us_host_pair_recheck_in(struct us_host_pair *pair, uint64_t usec);
/* Observes the VM, the switch and the device. */
void us_host_pair_observe(struct us_host_pair *pair);
/*
 * Compares the switch with the path that the engine knows, and has it changed back. False: to be
 * called again, a second later.
 */
bool us_host_pair_recheck(struct us_host_pair *pair);

/* ---- recheck.c ---- */

int us_recheck_init(struct us_pairs *pairs);
void us_recheck_deinit(struct us_pairs *pairs);
/* Which pairs there are, or which ports matter, has changed. */
void us_recheck_update_interest(struct us_pairs *pairs);
