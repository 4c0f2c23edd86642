/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair engine: decides when a guest may see the primary of a pair, and which operations the
 * host has to perform, in which order.
 *
 * A pair is one standby (a virtio-net device that offers VIRTIO_NET_F_STANDBY, virtio 1.2,
 * section 5.1.3) and one primary (a passthrough device) with the same MAC address. The engine
 * stores facts, takes one event at a time, and answers each event with effects: the operations
 * that bring the pair nearer to its goal. The engine makes no system call, reads no clock,
 * allocates no memory and has no global state. struct us_pair may be copied and compared.
 *
 * How a VMM or a daemon uses it:
 *
 *     struct us_pair pair;
 *     struct us_effects effects;
 *
 *     us_pair_init(&pair, &config);
 *     for (;;) {
 *             event = (something happened, or us_pair_deadline() has come);
 *             us_pair_step(&pair, &event, &effects);
 *             (perform effects.list[0 … count-1] in this order; report results as events)
 *     }
 *
 * The engine never waits. Each effect with a result has a deadline; us_pair_deadline() announces
 * it. When the deadline passes without the result, the engine continues without it.
 *
 * Stability: before version 1.0 the members of struct us_pair and struct us_pair_config may
 * change with each release, and so may the soname. Read struct us_pair through the functions of
 * the section "Questions", except for its facts. Function names, event types, effect types and the
 * codes of causes are meant to stay.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Facts ---- */

/* How much the upper layer leaves to us. */
enum us_mode {
	US_MODE_SEPARATE, /* it plugs and unplugs: the engine only observes and reports */
	US_MODE_COUPLED,  /* it migrates, between PREPARE and FINISH */
	US_MODE_COMBINED, /* the engine's owner migrates as well */
	US_MODE_N
};

/* What the guest's present driver of the standby negotiated. */
enum us_guest {
	US_GUEST_NONE,	  /* no driver, or one that has not reached FEATURES_OK */
	US_GUEST_LEGACY,  /* without VIRTIO_NET_F_STANDBY */
	US_GUEST_CAPABLE, /* with VIRTIO_NET_F_STANDBY */
	US_GUEST_N
};

/* Where the guest of the VM runs. */
enum us_vm_state {
	US_VM_UNKNOWN,	/* the VM cannot be asked */
	US_VM_RUNNING,	/* here; or it is paused and will continue here */
	US_VM_INCOMING, /* the VM is the destination of a migration; the guest has not arrived */
	US_VM_MOVED,	/* the VM was the source of a migration; the guest runs elsewhere */
	US_VM_GONE,	/* nowhere: the VM ended */
	US_VM_N
};

/* The primary, as the guest and the host see it. */
enum us_primary {
	US_PRIMARY_ABSENT,    /* none is assigned, or the host could not reserve it */
	US_PRIMARY_RESERVING, /* the host is reserving it */
	US_PRIMARY_HIDDEN,    /* reserved; the VM does not have it */
	US_PRIMARY_EXPOSING,  /* being plugged, or plugged and not yet used by the guest */
	US_PRIMARY_VISIBLE,   /* the guest carries traffic on it */
	US_PRIMARY_HIDING,    /* the guest was asked to release it and has not acknowledged */
	US_PRIMARY_UNKNOWN,   /* nobody knows whether the VM has it */
	US_PRIMARY_N
};

/* Where the host's switch sends frames for the pair's MAC address. */
enum us_path {
	US_PATH_NONE, /* nothing is steered: the switch learns the port by itself */
	US_PATH_STANDBY,
	US_PATH_PRIMARY,
	US_PATH_PARKED, /* into the park buffer of the host, during a transition */
	US_PATH_N
};

/* A migration, as far as it concerns the pair. */
enum us_migration_phase {
	US_PHASE_NONE,
	US_PHASE_PREPARED, /* the primary must be hidden; the VM may be migrated */
	US_PHASE_ACTIVE,   /* the VMM migrates: devices cannot be plugged */
	US_PHASE_N
};

/* The cause of the primary's present state: us_cause_code(), us_cause_text(). */
enum us_cause {
	US_CAUSE_READY,		  /* the guest carries traffic on the primary */
	US_CAUSE_NOT_ASSIGNED,	  /* the pair has no primary */
	US_CAUSE_RESERVING,	  /* the host is reserving the primary */
	US_CAUSE_RESERVE_REFUSED, /* the host could not reserve it; another try follows */
	US_CAUSE_MAY_PLUG,	  /* separate mode: the upper layer may plug it now */
	US_CAUSE_HOLD,		  /* a user wants it hidden */
	US_CAUSE_REMOVING,	  /* the pair is being removed */
	US_CAUSE_VM_UNKNOWN,	  /* the VM's monitor does not answer */
	US_CAUSE_OBSERVING,	  /* the VM is being asked whether it has the primary */
	US_CAUSE_VM_INCOMING,	  /* the guest has not arrived yet */
	US_CAUSE_VM_MOVED,	  /* the guest runs on another host */
	US_CAUSE_VM_GONE,	  /* the VM ended */
	US_CAUSE_MIGRATION,	  /* hidden for a migration */
	US_CAUSE_GUEST_UNKNOWN,	  /* the guest's driver was not seen yet */
	US_CAUSE_GUEST_NO_DRIVER, /* the guest has no driver for the standby */
	US_CAUSE_GUEST_LEGACY,	  /* its driver negotiated without STANDBY */
	US_CAUSE_GUEST_STARTING,  /* its driver has not reached DRIVER_OK */
	US_CAUSE_GUEST_RESET,	  /* the guest was reset and no driver came back yet */
	US_CAUSE_BACKOFF,	  /* the guest changes too often: the next try is delayed */
	US_CAUSE_DRIVER_OK,	  /* the guest's driver can handle the pair */
	US_CAUSE_PLUGGED,	  /* waiting for the guest's traffic on the primary */
	US_CAUSE_PLUG_REFUSED,	  /* the VMM refused to plug it */
	US_CAUSE_NOT_READY,	  /* the guest did not use it in time */
	US_CAUSE_STEER_FAILED,	  /* the switch could not be steered to it */
	US_CAUSE_UNPLUG_PENDING,  /* wanted visible again; the guest must release it first */
	US_CAUSE_UNPLUG_OVERDUE,  /* the guest has not acknowledged the unplug */
	US_CAUSE_N
};

/* Times in microseconds. */
struct us_pair_config {
	enum us_mode mode;
	bool can_park;	/* STEER to US_PATH_PARKED is possible */
	bool hide_idle; /* hide a visible primary that the guest does not use */

	/* How long an answer may take: */
	uint64_t plug_usec;    /* the VMM's, to a plug */
	uint64_t ready_usec;   /* the guest's traffic on the primary, after the plug */
	uint64_t unplug_usec;  /* the guest's acknowledgement of an unplug */
	uint64_t steer_usec;   /* the switch's … */
	uint64_t release_usec; /* … and, when STEER releases frames, this and park_usec more */

	uint64_t retry_usec; /* from a refused or overdue request to the next one */

	/* How the plug of a busy primary is tried again: */
	uint32_t busy_tries;	/* so often … */
	uint64_t busy_usec;	/* … after this, twice this, three times this … */
	uint64_t busy_max_usec; /* … up to this */

	/* How long frames may be parked: */
	uint64_t park_usec;	   /* in one transition … */
	uint64_t park_plug_usec;   /* … and of it for the VMM's answer to a plug */
	uint64_t park_unplug_usec; /* … and of it for the guest's answer to an unplug */

	/* How the guest's changes are slowed down: */
	uint32_t free_churn;	   /* guest-made hides before the first back-off */
	uint64_t backoff_usec;	   /* the first back-off; each further one doubles … */
	uint64_t backoff_max_usec; /* … up to this */
	uint64_t calm_usec;	   /* a primary visible for so long ends the back-off */

	uint64_t reset_fresh_usec;  /* an older reset is not completed by another one */
	uint64_t unplug_delay_usec; /* us_pair_set_unplug_delay() */
};

/* Sensible defaults for everything but the mode. */
void us_pair_config_default(struct us_pair_config *config);

/* A time that never comes: nothing is running. */
#define US_NEVER UINT64_MAX

/* ---- State: unstable. Read `facts` as it is, and the rest with the questions below ---- */

/* What is known of the guest and the VM, and what the users of the pair want: as events told it. */
struct us_pair_facts {
	enum us_vm_state vm;
	enum us_guest guest;
	bool driver_ok;
	bool guest_known; /* the two above were observed since the VM was last unknown */
	bool was_reset;	  /* and no driver has come back yet */
	bool migrating;	  /* the VMM says so, prepared or not */
	bool stopped;	  /* the guest stands still between two hosts */

	bool assigned; /* a primary is named */
	bool hold;
	bool prepared; /* between PREPARE and FINISH */
	bool removing; /* give everything back */
};

/* The host's reservation of the primary. */
enum us_reservation {
	US_RESERVATION_NONE,
	US_RESERVATION_ASKED,	/* RESERVE was sent and is not answered */
	US_RESERVATION_MADE,	/* the host keeps the primary for this pair only */
	US_RESERVATION_REFUSED, /* ABSENT only: the next try is at the deadline */
};

/* The phases of a transition. Each is legal in one state of the primary only. */
enum us_primary_phase {
	US_PRIMARY_AT_REST, /* no transition */

	/* EXPOSING */
	US_EXPOSING_PLUG_SENT, /* PLUG is not answered */
	US_EXPOSING_PLUG_BUSY, /* it could not be plugged now; PLUG is sent again */
	US_EXPOSING_JOINING,   /* the VM has the primary; the guest does not use it yet */
	US_EXPOSING_SWITCHING, /* the guest uses it; the path is not the primary's yet */

	/* HIDING */
	US_HIDING_REQUESTED, /* UNPLUG was sent and has time */
	US_HIDING_OVERDUE,   /* the VMM refused it, or the guest did not acknowledge in time */
};

/* HIDING: the latest UNPLUG. */
enum us_unplug {
	US_UNPLUG_NONE, /* not hiding */
	US_UNPLUG_SENT, /* the guest will acknowledge it */
	US_UNPLUG_LOST, /* a reset made the slot forget it: it is sent again at the deadline */
	US_UNPLUG_VOID, /* acknowledged for another device: it is sent again after the plug */
};

/* HIDING: where the guest receives. */
enum us_guest_side {
	US_GUEST_SIDE_UNKNOWN,
	US_GUEST_ON_PRIMARY, /* its driver session carried traffic on the primary */
	US_GUEST_ON_STANDBY,
};

struct us_pair_primary {
	enum us_primary state;
	enum us_primary_phase phase;
	enum us_reservation reservation;
	enum us_unplug unplug;
	bool plug_pending; /* HIDING: PLUG was not answered before UNPLUG was sent, nor since */
	enum us_guest_side guest;
	uint32_t busy_count;	     /* EXPOSING: how many PLUGs found the primary busy */
	uint64_t plug_again_at;	     /* PLUG_BUSY: when PLUG is sent again */
	uint64_t deadline;	     /* of the awaited answer, or of the next try */
	uint64_t unplug_delay_until; /* HIDING: the guest receives on the primary until then */
};

enum us_steering {
	US_STEERING_NONE,
	US_STEERING_SENT,  /* STEER is not answered */
	US_STEERING_RETRY, /* it failed; the next try is at the deadline */
};

struct us_pair_path {
	enum us_path now; /* as the switch was last seen */
	enum us_path to;  /* of the STEER that was sent or failed */
	enum us_steering steering;
	uint64_t steer_deadline;

	bool park_spent; /* this transition has parked frames for as long as it may */
	uint64_t park_deadline;
	bool answer_spent; /* EXPOSING, HIDING: … for the answer that is awaited */
	uint64_t answer_deadline;
};

struct us_pair_backoff {
	uint32_t churn;	       /* guest-made hides and failed tries since the last calm */
	uint64_t plug_after;   /* no PLUG before this */
	uint64_t calm_at;      /* visible until then: churn is forgotten */
	enum us_cause failure; /* of the latest try, until one succeeds; US_CAUSE_READY: none */
};

struct us_pair {
	struct us_pair_config config;
	struct us_pair_facts facts;
	struct us_pair_primary primary;
	struct us_pair_path path;
	struct us_pair_backoff backoff;
	enum us_cause cause;
};

/* Starts a pair: nothing is known of the VM, and no primary is assigned. */
void us_pair_init(struct us_pair *pair, const struct us_pair_config *config);

/*
 * For how long the guest surely continues to receive on the primary after UNPLUG was sent. It
 * depends on the slot that the primary is in. Applies from the next hide on.
 */
void us_pair_set_unplug_delay(struct us_pair *pair, uint64_t delay_usec);

/* ---- Events ---- */

enum us_event_type {
	US_EVENT_TICK,	    /* a deadline may have passed */
	US_EVENT_ASSIGN,    /* the pair gets a primary */
	US_EVENT_UNASSIGN,  /* the pair loses it: hide it, then release it */
	US_EVENT_REMOVE,    /* the pair ends: hide, release, stop steering */
	US_EVENT_HOLD,	    /* .on: a user wants the primary hidden */
	US_EVENT_VM,	    /* .vm: the VM's state */
	US_EVENT_GUEST,	    /* .guest: what its driver negotiated; .on: DRIVER_OK */
	US_EVENT_RESET,	    /* the machine was reset .age_usec ago */
	US_EVENT_PREPARE,   /* hide the primary for a migration */
	US_EVENT_FINISH,    /* the migration ended, or does not take place */
	US_EVENT_MIGRATING, /* .on: the VMM started to migrate; off: it stopped */
	/* .on: the guest stands still between two hosts: frames for it are parked; off: not so */
	US_EVENT_STOPPED,
	US_EVENT_OBSERVED,	 /* .on: the primary is in the VM; off: it is not */
	US_EVENT_PATH,		 /* .path: found on the switch without a STEER */
	US_EVENT_RESERVED,	 /* answer to RESERVE; .on: the host reserved the primary */
	US_EVENT_PLUGGED,	 /* answer to PLUG; .on: the VM has the primary */
	US_EVENT_UNPLUG_REFUSED, /* answer to UNPLUG: the VMM does not ask the guest */
	US_EVENT_UNPLUGGED,	 /* the primary left the VM, requested or not */
	/* Answer to WATCH. .on: the guest sends from the primary, stably; off: that cannot be
	 * seen any more. Off, while hiding: the guest receives on its standby. */
	US_EVENT_TRAFFIC,
	US_EVENT_STEERED,   /* answer to STEER; .path: its path, .on: done and verified */
	US_EVENT_PLUG_BUSY, /* answer to PLUG: another process uses the primary at this moment */
	US_EVENT_IDLE,	    /* the guest does not use its visible primary */
	US_EVENT_N
};

struct us_event {
	enum us_event_type type;
	uint64_t now_usec; /* not before the previous event's */
	bool on;
	enum us_vm_state vm;
	enum us_guest guest;
	enum us_path path;
	uint64_t age_usec;
};

/* ---- Effects ---- */

enum us_effect_type {
	US_EFFECT_RESERVE,  /* make the primary ready and exclusive to this pair → RESERVED */
	US_EFFECT_RELEASE,  /* give the primary back to the host; no answer */
	US_EFFECT_STEER,    /* move the path to .path; from PARKED: release frames → STEERED */
	US_EFFECT_PLUG,	    /* plug the primary → PLUGGED or PLUG_BUSY */
	US_EFFECT_UNPLUG,   /* ask the guest to release it → UNPLUGGED or UNPLUG_REFUSED */
	US_EFFECT_RESET_VM, /* reset the machine at once: that completes the unplug; no answer */
	US_EFFECT_WATCH,    /* look for the guest's traffic on the primary → TRAFFIC */
	US_EFFECT_UNWATCH,  /* stop looking for it; no answer */
	US_EFFECT_PUBLISH,  /* a visible property of the pair changed; .moved: log it */
	US_EFFECT_N
};

struct us_effect {
	enum us_effect_type type;
	enum us_path path;
	enum us_primary from; /* PUBLISH: the primary's state before the step */
	bool moved;	      /* PUBLISH: that state or its cause changed */
};

enum {
	US_EFFECTS_MAX = 8,
};

struct us_effects {
	struct us_effect list[US_EFFECTS_MAX];
	size_t count;
};

/*
 * Takes one event, and fills @effects with what must be done, in order.
 *
 * Returns 0, or US_PAIR_IGNORED if the event has no meaning in this state: an answer to a question
 * that is not asked any more, or a known fact. Its time counts nevertheless.
 */
enum {
	US_PAIR_IGNORED = 1,
};
int us_pair_step(struct us_pair *pair, const struct us_event *event, struct us_effects *effects);

/* The latest time for the next TICK; US_NEVER: nothing is awaited. */
uint64_t us_pair_deadline(const struct us_pair *pair);

/* ---- Questions ---- */

/* As far as this pair is concerned, a migration may start: the primary is not in the VM. */
bool us_pair_may_migrate(const struct us_pair *pair);

/* The removal is complete: the pair holds nothing, and may be freed. */
bool us_pair_is_removed(const struct us_pair *pair);

/* No transition is under way, and no STEER. */
bool us_pair_is_settled(const struct us_pair *pair);

/* The two facts about a migration together. */
enum us_migration_phase us_pair_phase(const struct us_pair *pair);

/* The primary's state, and the cause of that state. */
enum us_primary us_pair_primary(const struct us_pair *pair);
enum us_cause us_pair_cause(const struct us_pair *pair);

/* The reservation of the primary: requested, made, or refused. */
bool us_pair_is_reserving(const struct us_pair *pair);
bool us_pair_is_reserved(const struct us_pair *pair);
bool us_pair_is_reserve_refused(const struct us_pair *pair);

/* The VM has the primary, and the guest was not asked to release it. */
bool us_pair_is_plugged(const struct us_pair *pair);

/* The guest was asked to release the primary, and still receives on it. */
bool us_pair_is_leaving(const struct us_pair *pair);

/* The guest did not acknowledge the unplug in time, or the VMM refused to ask the guest. */
bool us_pair_is_unplug_overdue(const struct us_pair *pair);

/* The path, as the switch was last seen. */
enum us_path us_pair_path(const struct us_pair *pair);

/* STEER is not answered; STEER failed, and is sent again later. */
bool us_pair_is_steering(const struct us_pair *pair);
bool us_pair_has_steer_failed(const struct us_pair *pair);

/* The back-off: no PLUG is sent before this time. */
uint64_t us_pair_plug_after(const struct us_pair *pair);

/* Why the latest try to expose the primary failed; US_CAUSE_READY: it did not. */
enum us_cause us_pair_failure(const struct us_pair *pair);

/* ---- Names: the words of the documents, the log and the API ---- */

const char *us_mode_name(enum us_mode mode);
const char *us_guest_name(enum us_guest guest);
const char *us_vm_state_name(enum us_vm_state vm);
const char *us_primary_name(enum us_primary primary);
const char *us_path_name(enum us_path path);
const char *us_phase_name(enum us_migration_phase phase);
const char *us_event_name(enum us_event_type type);
const char *us_effect_name(enum us_effect_type type);

/* A cause's stable code for programs ("guest-legacy"), and its text for people. */
const char *us_cause_code(enum us_cause cause);
const char *us_cause_text(enum us_cause cause);

/* The primary's state in a word: `reserved` if it is hidden and the guest is not here. */
const char *us_pair_primary_name(const struct us_pair *pair);

/* The guest in a word: `unknown` if it runs and its driver was not seen yet. */
const char *us_pair_guest_name(const struct us_pair *pair);

/* The reverse of us_mode_name(); -1: no mode has this name. */
int us_mode_from_name(const char *name);

/*
 * The log line of a move, "web0: hidden → exposing (guest reached DRIVER_OK)", without a newline
 * and cut to @size bytes. @from: the primary's state before the step. Returns @buffer.
 */
char *us_pair_move_line(char *buffer, size_t size, const char *name, enum us_primary from,
			const struct us_pair *pair);

#ifdef __cplusplus
}
#endif
