/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of a pair, for the files of this room. */
#pragma once

#include "daemon/pair/pair.h"
#include "net/presence/watch.h"
#include "net/steer/steer.h"
#include "util/list.h"
#include "util/rate.h"
#include "util/timer.h"

enum {
	US_QUEUED_EVENTS = 32, /* for one pair, while its engine makes a step */
};

/* What is to be told to a pair when its present step is done. */
struct us_event_queue {
	struct us_event events[US_QUEUED_EVENTS];
	unsigned first, count;
};

struct us_host_pair {
	struct us_list link;
	struct us_host_vm *vm;
	struct us_pair_slots slots;
	struct us_pair_spec spec;
	char device[US_DEVICE_NAME_MAX]; /* the primary's id in the VM */
	bool is_inspected;  /* QEMU was asked for the standby's MAC since its adoption … */
	bool is_mismatched; /* … and has another: it is left alone */
	bool assign_next;   /* `primary` is to be assigned once the old one is gone */
	bool must_recheck;  /* at the switch: something changed there */
	struct us_rate recheck_rate;
	uint64_t differed_usec; /* when it last was not as it should be; 0: never */
	uint64_t changed_usec;	/* when someone else was last seen to have changed it */

	struct us_pair engine;
	struct us_host_vf *vf;	/* vf.c; NULL: no VF is, or is to be, reserved */
	struct us_steer *steer; /* NULL while the switch cannot be found */
	struct us_watch *watch;
	struct us_watch
		*unplug_watch; /* of its standby, while the guest takes its time to let go */
	struct us_timer timer;
	struct us_timer idle_timer; /* set while it is looked whether the primary is used */
	uint64_t standby_frames,
		primary_frames; /* frames from the guest, when it was last looked */
	unsigned idle_checks;	/* that it was not, one after the other */
	bool is_idle;
	unsigned requests;	  /* to the VM, not answered: they name the pair */
	bool has_original_entry;  /* the next one is known: from now, or from before a restart */
	char original_entry[256]; /* what the switch had before us, us_steer_save() */
	char *detail;		  /* what the host or the VMM said last, if it refused */
	struct us_park_counts logged; /* of the frames that were held, what was last logged */

	struct us_event_queue *queue; /* while it is being stepped */
};

/* ---- pair.c ---- */

/* us_pairs_handler.moved */
void us_host_pair_tell_move(struct us_host_pair *pair, enum us_primary from, bool moved);

/* ---- idle-primary.c: whether the guest uses its visible primary ---- */

/* After each step: checks from time to time while the primary is visible. */
void us_idle_primary_follow(struct us_host_pair *pair);
/* Of idle_timer. */
void us_idle_primary_check(void *userdata);
