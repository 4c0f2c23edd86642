/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the files of this room: rpc.c owns the server, methods.c is the table of methods, attach.c,
 * add-pair.c, declare.c and deferred.c have the methods that answer later, describe.c the JSON of
 * VMs and pairs, subscribers.c has Monitor. declared-private.h is about declarations.
 */
#pragma once

#include "daemon/rpc/rpc.h"
#include "util/timer.h"

struct us_rpc {
	struct us_rpc_config config;
	struct us_server *server;
	struct us_list subscribers; /* struct subscriber, subscribers.c */
	uint64_t dropped_events;
	struct us_list attaches;     /* struct attach, attach.c */
	struct us_list adds;	     /* struct add, add-pair.c */
	struct us_list declares;     /* struct declare, declare.c */
	struct us_list declarations; /* struct us_declared, declared-table.c */
	json_t *invalid;	     /* by the name of a domain: why its declaration is ignored */
	struct us_timer forgetting;  /* of domains that have stopped */
	struct us_timer following;   /* of declared pairs that were refused, or wait */
};

/* ---- lookup.c ---- */

/* A text of the parameters; NULL: there is none. */
const char *us_rpc_text(const json_t *parameters, const char *member);
/* The VM that the parameter @member names. NULL: there is none, and @call has been answered. */
struct us_host_vm *us_rpc_find_vm(const struct us_rpc *rpc, struct us_call *call,
				  const json_t *parameters, const char *member);
/* The same, of the pair @name. */
struct us_host_pair *us_rpc_find_pair(const struct us_rpc *rpc, struct us_call *call,
				      const char *name);

/* Removes @vm and its pairs, and leaves the guest and the switch as they are. */
void us_rpc_remove_vm(struct us_rpc *rpc, struct us_host_vm *vm);

/* ---- declared.c ---- */

/* The timer `forgetting`. */
void us_rpc_on_forget(void *userdata);
/*
 * Forgets the domain @name now if it has stopped: the one that comes in its place may have other
 * pairs. Returns 0, or US_REFUSED with @reason while its migration away ends.
 */
int us_rpc_forget_before(struct us_rpc *rpc, const char *name, struct us_reason *reason);

/* ---- Methods that other files than methods.c handle; @userdata is the struct us_rpc ---- */

/* attach.c */
void us_rpc_attach_vm(void *userdata, struct us_call *call, const json_t *parameters);
void us_rpc_detach_vm(void *userdata, struct us_call *call, const json_t *parameters);
/* add-pair.c */
void us_rpc_add_pair(void *userdata, struct us_call *call, const json_t *parameters);
/* declare.c */
void us_rpc_declare_pair(void *userdata, struct us_call *call, const json_t *parameters);
void us_rpc_undeclare_pair(void *userdata, struct us_call *call, const json_t *parameters);
void us_rpc_declare_primary(void *userdata, struct us_call *call, const json_t *parameters);
/* deferred.c */
void us_rpc_set_hold(void *userdata, struct us_call *call, const json_t *parameters);
void us_rpc_prepare(void *userdata, struct us_call *call, const json_t *parameters);
void us_rpc_remove_pair(void *userdata, struct us_call *call, const json_t *parameters);

/* ---- add-pair.c ---- */

/* @vm is being freed. */
void us_rpc_cancel_adds(struct us_rpc *rpc, const struct us_host_vm *vm);
/* Whether a pair with that standby of @vm is being added. */
bool us_rpc_is_adding(const struct us_rpc *rpc, const struct us_host_vm *vm, const char *standby);
/* AddPair for a declared pair has ended: @r and @reason. */
typedef void (*us_rpc_added_fn)(struct us_rpc *rpc, struct us_host_vm *vm, const char *standby,
				int r, const struct us_reason *reason);
/*
 * AddPair for a declared pair of @vm, without a call; @added follows. A primary that this host does
 * not have is no reason to refuse it: the pair says so.
 */
void us_rpc_add_declared_pair(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *parameters,
			      us_rpc_added_fn added);

/* ---- declaration.c ---- */

/*
 * Reads a declared pair of @vm: *@ret_parameters, for json_decref(), are those of AddPair. Returns
 * 0, or US_REFUSED if an attribute is not known or has no valid value.
 */
int us_declaration_read(const json_t *attributes, const char *vm, json_t **ret_parameters,
			struct us_reason *reason);
/* The attributes for the parameters of DeclarePair, for json_decref(). */
json_t *us_declaration_write(const json_t *parameters);

/* ---- declared-table.c ---- */

/* Why declared pairs of @vm are not as declared, an array of texts; NULL: it declares none. */
json_t *us_rpc_refused_pairs(const struct us_rpc *rpc, const struct us_host_vm *vm);

/* ---- deferred.c ---- */

/* RemovePair without a call, or for the UndeclarePair that waits for it. */
void us_rpc_remove_declared_pair(struct us_rpc *rpc, struct us_host_pair *pair);

/* ---- add-check.c and add-parameters.c ---- */

/* A pair that is asked for. */
struct us_add_request {
	struct us_pairs *pairs; /* of this host */
	struct us_host_vm *vm;
	struct us_pair_spec spec; /* without what the VMM knows of the standby */
	bool has_mac;		  /* the caller names the standby's MAC address: `mac` */
	uint8_t mac[US_MAC_BYTES];
};

/* Reads @parameters of AddPair into @request. Returns 0, US_REFUSED or a negative errno. */
int us_add_read(struct us_add_request *request, const json_t *parameters, struct us_reason *reason);

/*
 * What this host knows: whether the name, the port and the standby are free, whether the primary
 * can be reserved, and whether there is a switch behind the port. Fills in the port's own name, and
 * what us_primary_spec_check() does. Returns 0, US_REFUSED or a negative errno.
 */
int us_add_check_host(struct us_add_request *request, struct us_reason *reason);

/*
 * What the VMM knows of the standby. Checks against other pairs again, because one may have been
 * added meanwhile.
 */
int us_add_check_standby(const struct us_add_request *request, const struct us_vmm_standby *standby,
			 struct us_reason *reason);

/* ---- describe.c: Pair and Vm of the interface ---- */

json_t *us_rpc_pair_json(const struct us_host_pair *pair);
json_t *us_rpc_vm_json(const struct us_rpc *rpc, const struct us_host_vm *vm);

/* ---- subscribers.c ---- */

/* Answers Monitor: @call wants more. */
void us_rpc_subscribe(struct us_rpc *rpc, struct us_call *call);
