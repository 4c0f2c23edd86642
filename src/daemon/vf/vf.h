/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A primary that is a VF, or another VFIO device: reserved, held while it is hidden, let go for the
 * VMM to open it, and given back. What the kernel can take seconds for is done in threads.
 */
#pragma once

#include <jansson.h>

#include "pci/reserve.h"
#include "util/error.h"

struct us_daemon;
struct us_host_pair;
struct us_host_vf;
struct us_sriov;

/* Where the records of all daemons of this host are. */
#define US_RESERVED_DIRECTORY "/run/understudy/reserved"

/*
 * Asks for what the pair's SPEC names; us_host_pair_vf_reserved() gets the answer, from the loop. The guest
 * has @memory_bytes, 0 if that is not known.
 */
void us_host_vf_reserve(struct us_host_pair *pair, uint64_t memory_bytes);
/* host-pair.c: its spec's `host` and `port` are filled in if @r is 0. */
void us_host_pair_vf_reserved(struct us_host_pair *pair, int r, const char *why);

/* Gives back what the pair has, or is about to get. */
void us_host_vf_release(struct us_host_pair *pair);

/*
 * Makes way for the VMM: assigns the MAC, lets the group go. Returns 0, US_REFUSED with the
 * reason, or US_HOST_VF_LATER: us_host_vf_prepare_plug() is called when the way is free.
 */
enum {
	US_HOST_VF_LATER = US_REFUSED + 1,
};
int us_host_vf_prepare_plug(struct us_host_pair *pair, struct us_reason *reason);
/*
 * The VMM refused the plug. True if it is to be tried again at once, by us_host_pair_retry_plug(): somebody
 * opened the group in the moment between our letting go and the VMM, which nobody can be kept from.
 */
bool us_host_vf_group_was_busy(struct us_host_pair *pair, const char *why);
/* host-pair.c: try the plug again. */
void us_host_pair_retry_plug(struct us_host_pair *pair);

/* Its share of the card's switch; NULL: none, or not reserved. Borrowed until it is released. */
struct us_sriov *us_host_vf_sriov(const struct us_host_pair *pair);

/* The PF of a pair whose VF has no port of its own on the host: who counts its frames, and knows
 * whom it reaches, is the card. NULL: there is none. */
const char *us_host_vf_pf(const struct us_host_pair *pair);

/* Whether the guest's driver has started the pair's VF, as its configuration space shows: no frame
 * can feign that. True of what is no VF behind a PF. */
bool us_host_vf_is_started(const struct us_host_pair *pair);

/* Hidden, and another process has its group open: a VMM may not have let go although it said so. */
bool us_host_vf_group_is_in_use(const struct us_host_pair *pair);

/* Whether there is such a pool now. */
int us_vfs_check_pool(const struct us_daemon *daemon, const char *name, struct us_reason *reason);

/* Before its card is told anything: whether the guest has it decides what can be done to it.
 * Whether that is new. */
bool us_host_vf_sync_visibility(struct us_host_pair *pair);

/* After each step of the pair: a hidden primary is held, so that nobody else can take it. */
void us_host_vf_follow(struct us_host_pair *pair);

/* A pair from before a restart knows its VF by the record. */
void us_host_vf_adopt(struct us_host_pair *pair);

/* The pair ends. What it has stays reserved if the daemon is stopping, else it is given back. */
void us_host_vf_forget(struct us_host_pair *pair);

/* ---- vf-return.c: what no pair has any more ---- */

int us_orphans_init(struct us_daemon *daemon);
/* What is under way goes on, and is found again by the next daemon if it is not done. */
void us_orphans_deinit(struct us_daemon *daemon);

/*
 * Gives a device back as soon as nobody has it open; until then nothing of it is changed. Tried
 * again every ten seconds, which the log, its pair's status and the doctor tell.
 */
void us_orphans_give_back(struct us_daemon *daemon, const struct us_reserved *reserved);
/* It is a pair's again. False: too late, it is being given back. */
bool us_orphans_take(struct us_daemon *daemon, const char *address);

/* Gives back what is reserved in our name for pairs that we do not have any more. */
void us_orphans_find(struct us_daemon *daemon);
void us_orphans_find_later(struct us_daemon *daemon);

/* Whether it is kept although no pair has it. */
bool us_orphans_have(const struct us_daemon *daemon, const char *address);
/* Whether a VF of @pf is kept although no pair has it: its guest may be there. */
bool us_orphans_have_behind(const struct us_daemon *daemon, const char *pf);
void us_orphans_diagnose(const struct us_daemon *daemon, json_t *findings);
