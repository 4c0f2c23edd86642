/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudyd, the whole: one loop, the VMs it adopted, their pairs, and the control API. It
 * turns what happens outside into the engine's events and performs the engine's effects; it
 * decides nothing itself.
 *
 * Everything runs on one thread in callbacks of the loop. Objects are found by name; a VM owns
 * its pairs.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "api/server.h"
#include "core/migration-plan.h"
#include "daemon/metrics/metrics.h"
#include "daemon/vf/vf.h"
#include "net/presence/announce.h"
#include "net/netlink/changes.h"
#include "net/presence/claims.h"
#include "net/vf/neighbours.h"
#include "net/steer/steer.h"
#include "net/undelivered/drain.h"
#include "net/presence/watch.h"
#include "pci/pools.h"
#include "understudy/client.h"
#include "understudy/pair.h"
#include "util/list.h"
#include "util/log.h"
#include "util/mac.h"
#include "util/optional-string.h"
#include "util/rate.h"
#include "util/timer.h"
#include "vmm/vmm.h"

enum {
	US_NAME_MAX = 32, /* of a VM or a pair, with its NUL */
	US_PAIRS_PER_VM = 32,
	US_QUEUED_EVENTS = 32, /* to one pair, while it is being stepped */
};

struct us_vm_migration;
struct us_pair_migration;

struct us_daemon {
	sd_event *loop;
	struct us_server *server;
	struct us_list vms;	 /* struct us_host_vm */
	struct us_list monitors; /* struct monitor, publish.c */
	struct us_list waiters;	 /* struct us_deferred */
	const char *socket_path;
	const char *state_dir;
	bool is_stopping;	       /* what is reserved stays so */
	const char *pools_path;	       /* understudy-pools.conf(5) */
	const char *config_path;       /* understudyd.conf(5): allow.h */
	const char *migration_address; /* where an incoming migration listens; NULL: where its
					* source reached this host */
	bool trusts_network;	       /* of migrations: they may be unencrypted */
	uint64_t started_usec;	       /* CLOCK_REALTIME */
	sd_event_source *saving;       /* armed when the state file is older than the state */
	sd_event_source *settling;     /* armed when those who wait are to be asked */
	struct us_park_budget parked;  /* of all pairs; its limit is set before the start */
	struct us_changes *changes;    /* of the switch, by anyone */
	struct us_timer looking;       /* set while pairs are to look at the switch */
	struct us_rate losing;	       /* of lines about changes that were missed */
	struct us_list neighbourhoods; /* of PFs: struct us_neighbourhood, neighbourhood.c */
	struct us_timer neighbouring;  /* set while these are to be looked at */
	uint64_t neighbours_usec;      /* when they were, last */
	int neighbour_ports[US_POOL_NEIGHBOURS_MAX]; /* indices of those that were declared */
	size_t neighbour_port_count;
	struct us_list vf_jobs;	    /* struct us_vf_job, vf-job.c */
	struct us_list orphans;	    /* struct us_orphan, vf-return.c */
	struct us_timer returning;  /* set while reserved VFs are to be given back */
	bool is_unsaved;	    /* the state file cannot be written */
	bool is_loading, must_save; /* the state file is read now, and is to be saved after it */

	/* For those who watch: metrics.h */
	struct us_metrics_server *scrape;
	struct us_transition_durations durations[US_TRANSITION_N];
	uint64_t dropped_events; /* that a monitor was too slow for */
	struct us_list metrics;	 /* struct us_metrics_reader, those who read them at this moment */
};

/* A VM that was attached. */
struct us_host_vm {
	struct us_list link;
	struct us_daemon *daemon;
	char name[US_NAME_MAX];
	char *monitor_path;
	struct us_vmm *vmm;
	struct us_list pairs;	       /* struct us_host_pair */
	struct us_list adds;	       /* struct us_pair_request, requests under way */
	struct us_list diagnoses;      /* struct us_diagnosis, likewise */
	struct us_call *attaching;     /* answered at the first adoption */
	struct us_vm_migration *migration; /* of migration/ */
	enum us_vm_state state;
	enum us_transfer transfer;
	struct us_timer again;	  /* set to connect again after a refusal */
	bool prepared;	       /* by Prepare, until Finish; survives a restart */
	char *problem;	       /* why it is not adopted; NULL if it is */
	char *saved;	       /* its part of the state file; NULL: it has changed since */
	struct us_vm_counts counts;
};

/* What a SPEC names: "pool:NAME", "vfio:0000:5e:00.2" or "emulated:MODEL,port=IFNAME[,mac=MAC]". */
struct us_primary_spec {
	char text[128];
	char model[US_DEVICE_NAME_MAX]; /* "vfio-pci" or an emulated NIC */
	char pool[US_POOL_NAME_SIZE];	/* of a pool, else "" */
	char host[16];			/* vfio: the PCI address, else ""; pool: once reserved */
	char port[IF_NAMESIZE];		/* emulated: the tap; vfio: the PF once reserved */
	bool has_mac;
	uint8_t mac[US_MAC_BYTES];
};

/* What becomes of the frames that come during a transition. */
enum us_handover {
	US_HANDOVER_LOSSLESS,	 /* they are held, and come late */
	US_HANDOVER_LOW_LATENCY, /* none is held, and some are lost */
	US_HANDOVER_N
};

/* What to do about a guest that is shown its primary and does not use it. */
enum us_unused {
	US_UNUSED_REPORT,
	US_UNUSED_HIDE,	  /* … and take it away, as one that was never ready */
	US_UNUSED_IGNORE, /* it is not looked for */
	US_UNUSED_N
};

struct us_pair_options {
	enum us_handover handover;
	enum us_unused unused;
	uint64_t frames, bytes; /* held at once */
	uint64_t park_usec;	/* held in one transition, at the longest */
};

/* What is to be told to a pair when its present step is done. */
struct us_event_queue {
	struct us_event events[US_QUEUED_EVENTS];
	unsigned first, count;
};

struct us_host_pair {
	struct us_list link;
	struct us_host_vm *vm;
	char name[US_NAME_MAX];
	char device[US_DEVICE_NAME_MAX]; /* the primary's id in the VM */
	char standby[US_DEVICE_NAME_MAX];
	char port[IF_NAMESIZE];
	char bus[US_DEVICE_NAME_MAX]; /* "" for any */
	char group[40];		      /* UUID or "" */
	uint8_t mac[US_MAC_BYTES];
	uint16_t mtu, queue_pairs;
	struct us_primary_spec primary; /* .text is "" when none is assigned */
	bool is_inspected;  /* QEMU was asked for the standby's MAC since its adoption … */
	bool is_mismatched; /* … and has another: it is left alone */
	bool assign_next;   /* `primary` is to be assigned once the old one is gone */
	bool must_recheck;  /* at the switch: something changed there */
	struct us_rate looks;
	uint64_t differed_usec; /* when it last was not as it should be; 0: never */
	uint64_t changed_usec;	/* when someone else was last seen to have changed it */
	struct us_pair_options options;

	struct us_pair engine;
	struct us_host_vf *vf;	/* vf.c; NULL: no VF is, or is to be, reserved */
	struct us_steer *steer; /* NULL while the switch cannot be found */
	struct us_watch *watch;
	struct us_watch *leaving; /* of its standby, while the guest takes its time to let go */
	struct us_pair_migration *migration; /* of migration/ */
	struct us_timer timer;
	struct us_timer using; /* set while it is looked whether the primary is used */
	uint64_t standby_frames,
		primary_frames; /* frames from the guest, when it was last looked */
	unsigned idle_checks;	/* that it was not, one after the other */
	bool is_idle;
	unsigned requests;	    /* to the VM, not answered: they name the pair */
	bool has_original_entry;    /* `found` is known: from now, or from before a restart */
	char found[256];	    /* what the switch had before us, us_steer_save() */
	char *detail;		    /* what the host or the VMM said last, if it refused */
	struct us_park_counts told; /* of the frames that were held, what was last logged */
	struct us_pair_counts counts;

	struct us_event_queue *queue; /* while it is being stepped */
};

/*
 * Somebody who waits for pairs of a VM: asked from the loop after every step of one of them.
 * @check returns true when it is done waiting, and has then taken itself off the list.
 */
struct us_deferred {
	struct us_list link;
	struct us_host_vm *vm;
	bool (*check)(struct us_deferred *waiter);
	void (*vm_gone)(struct us_deferred *waiter); /* the VM is being detached; frees itself */
};

/* ---- daemon.c ---- */

/* On the loop of this thread, without VMs; what is set in @daemon stays so. 0 or -errno. */
int us_daemon_init(struct us_daemon *daemon);
/* VMs, pairs and the switch stay as they are. */
void us_daemon_deinit(struct us_daemon *daemon);

struct us_host_vm *us_daemon_vm(struct us_daemon *daemon, const char *name);
struct us_host_pair *us_daemon_pair(struct us_daemon *daemon, const char *name);
/* Names are ours, end up in QEMU ids and file names: letters, digits, '.', '_', '-'. */
bool us_name_is_valid(const char *name);
void us_deferred_add(struct us_host_vm *vm, struct us_deferred *waiter);
/* Has everyone who waits asked, from the loop. */
void us_deferred_recheck_soon(struct us_daemon *daemon);

/* ---- look.c: who else changes the switch ---- */

/* Which pairs there are, or which ports are of interest, has changed. */
void us_recheck_update_interest(struct us_daemon *daemon);
/* Has @pair look in a second, with what it could not do now for want of memory. */
void us_recheck_later(struct us_host_pair *pair);
int us_recheck_init(struct us_daemon *daemon);
void us_recheck_deinit(struct us_daemon *daemon);

/* ---- neighbourhood.c: who VFs have to reach behind their PF's bridge ---- */

/* A bridge's table is another one, or the VFs are that pairs have. */
void us_neighbourhood_changed(struct us_daemon *daemon);
int us_neighbourhood_init(struct us_daemon *daemon);
void us_neighbourhood_deinit(struct us_daemon *daemon);

/* ---- memory.c ---- */

/* Before anything is done with JSON. */
void us_memory_init(void);

/* ---- host-vm.c ---- */

int us_host_vm_new(struct us_host_vm **ret_vm, struct us_daemon *daemon, const char *name,
		   const char *monitor_path);
void us_host_vm_free(struct us_host_vm *vm); /* and its pairs, as they are */
/* Tells all its pairs. */
void us_host_vm_feed(struct us_host_vm *vm, const struct us_event *event);
bool us_host_vm_may_migrate(const struct us_host_vm *vm);
/* The VM's QEMU. Valid until the loop's next turn. */
struct us_drain_process us_host_vm_process(const struct us_host_vm *vm);
json_t *us_host_vm_json(const struct us_host_vm *vm);

/* ---- host-pair.c ---- */

/* Makes a pair from its checked description; it starts with what is found on the host. */
int us_host_pair_new(struct us_host_pair **ret_pair, struct us_host_vm *vm,
		     const struct us_host_pair *description, enum us_mode mode, bool hold);
/*
 * It is not to be ours any more, as it is: an entry that leads to its primary stays, because the
 * guest listens there. One that leads to its standby does not: the next pair would find it, and
 * take it for somebody else's.
 */
void us_host_pair_detach(struct us_host_pair *pair);
void us_host_pair_free(struct us_host_pair *pair);
void us_host_pair_feed(struct us_host_pair *pair, struct us_event event);
/* Looks at VM, switch and device anew: after it was made, and after each adoption; then first at
 * whether QEMU's standby still has the pair's MAC, unless `is_inspected`. */
void us_host_pair_observe(struct us_host_pair *pair);
/* Looks at the switch, and has it changed back. False: to be called again, a second later. */
bool us_host_pair_recheck(struct us_host_pair *pair);
/* Another primary, or none for NULL; the present one is hidden and given back first. */
void us_host_pair_assign(struct us_host_pair *pair, const struct us_primary_spec *spec);
/* The buffer that @pair's frames are parked in now; NULL: none are. */
struct us_park *us_host_pair_park(const struct us_host_pair *pair);
/* The guest does not let its primary go, and will not be waited for. */
bool us_host_pair_is_overdue(const struct us_host_pair *pair);
json_t *us_host_pair_json(const struct us_host_pair *pair);

/* ---- primary.c: what stands behind a SPEC ---- */

int us_primary_spec_parse(const char *text, struct us_primary_spec *ret_spec,
			  struct us_reason *reason);
/* Whether @pair has what its `primary` names: from the wish for it until it is given back. */
bool us_host_pair_has_primary(const struct us_host_pair *pair);
/* Whether @uid may name it: allow.h. */
int us_primary_spec_allow(const struct us_daemon *daemon, uid_t uid,
			  const struct us_primary_spec *spec, struct us_reason *reason);
/* Refused if it names a MAC other than the standby's, @mac. */
int us_primary_spec_check_mac(const struct us_primary_spec *spec, const char *pair_name,
			      const uint8_t mac[US_MAC_BYTES], struct us_reason *reason);
/* Whether it is a VFIO device, of a pool or by its address. */
bool us_primary_spec_is_vfio(const struct us_primary_spec *spec);
/* Whether a reserved VF is behind a port that can take the standby's place. */
int us_primary_spec_check_port(const struct us_primary_spec *spec, const char *standby_port,
			       struct us_reason *reason);
/* An alternative name becomes the interface's own: one port is not taken for two. */
int us_port_resolve(char port[IF_NAMESIZE], struct us_reason *reason);
/* Whether it could be reserved for @pair now: there, unclaimed by another, usable with the
 * standby's port. @pair may be NULL (a new one). Fills in spec->port of a VF. */
int us_primary_spec_check(struct us_daemon *daemon, const struct us_host_pair *pair,
			  struct us_primary_spec *spec, const char *standby_port,
			  struct us_reason *reason);

/* ---- options.c: what is chosen for a pair about its frames ---- */

/*
 * From the members "park" and "handover" of an object; what is not there has its default.
 * Refused, in words: beyond what can be chosen. Unknown members have been refused before.
 */
int us_pair_options_read(const json_t *object, struct us_pair_options *ret_options,
			 struct us_reason *reason);
/* Sets both members of an object. */
void us_pair_options_write(const struct us_pair_options *options, json_t *object);
void us_pair_options_apply(const struct us_pair_options *options, struct us_pair_config *config);

/* ---- use.c: whether the guest uses what it is shown ---- */

/* After each step: looks from time to time while the primary is visible. */
void us_idle_primary_follow(struct us_host_pair *pair);
/* Of the timer `using`. */
void us_idle_primary_check(void *userdata);

/* ---- add.c: AddPair ---- */

void us_rpc_add_pair(struct us_daemon *daemon, struct us_call *call, const json_t *parameters);
void us_rpc_cancel_adds(struct us_host_vm *vm);

/* ---- wait.c: methods that answer when pairs have got somewhere ---- */

void us_rpc_set_hold(struct us_host_pair *pair, bool hold, struct us_call *call);
void us_rpc_prepare(struct us_host_vm *vm, struct us_call *call);
void us_rpc_remove_pair(struct us_host_pair *pair, struct us_call *call);

/* ---- methods.c: the API ---- */

extern const struct us_method us_rpc_methods[];

/* ---- publish.c: the log and those who monitor ---- */

void us_publish_move(struct us_host_pair *pair, enum us_primary from, bool moved);
void us_publish_vm(struct us_host_vm *vm, const char *name);
void us_publish_stage(struct us_host_vm *vm, const char *stage, const char *line);
void us_subscribe(struct us_daemon *daemon, struct us_call *call);

/* ---- state.c: what survives the daemon ---- */

int us_state_load(struct us_daemon *daemon);
/* Which VMs there are has changed. */
int us_state_save(struct us_daemon *daemon);
/* What is to survive of this one has changed. */
int us_state_save_vm(struct us_host_vm *vm);
/* The same, and it is saved soon: many changes at once make one file. */
void us_state_save_soon(struct us_host_vm *vm);
/* The same, and it is saved with what changes next. */
void us_state_forget_text(struct us_host_vm *vm);
/* A VM's part of the file; the caller frees it; NULL: no memory. */
char *us_state_vm_text(const struct us_host_vm *vm);
