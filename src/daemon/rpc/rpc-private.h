/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the files of this room: rpc.c owns the server, methods.c is the table of methods, attach.c,
 * add-pair.c and deferred.c have
 * the methods that answer later, describe.c the JSON of VMs and pairs, subscribers.c has Monitor.
 */
#pragma once

#include "daemon/rpc/rpc.h"

struct us_rpc {
	struct us_rpc_config config;
	struct us_server *server;
	struct us_list subscribers; /* struct subscriber, subscribers.c */
	uint64_t dropped_events;
	struct us_list attaches; /* struct attach, attach.c */
	struct us_list adds;	 /* struct add, add-pair.c */
};

/* ---- attach.c ---- */

void us_rpc_attach_vm(struct us_rpc *rpc, struct us_call *call, const json_t *parameters);
void us_rpc_detach_vm(struct us_rpc *rpc, struct us_host_vm *vm, struct us_call *call);

/* ---- add-pair.c ---- */

void us_rpc_add_pair(struct us_rpc *rpc, struct us_call *call, const json_t *parameters);
/* @vm is being freed. */
void us_rpc_cancel_adds(struct us_rpc *rpc, const struct us_host_vm *vm);

/* ---- deferred.c: replies that wait for pairs ---- */

void us_rpc_set_hold(struct us_rpc *rpc, struct us_host_pair *pair, bool hold,
		     struct us_call *call);
void us_rpc_prepare(struct us_rpc *rpc, struct us_host_vm *vm, struct us_call *call);
void us_rpc_remove_pair(struct us_rpc *rpc, struct us_host_pair *pair, struct us_call *call);

/* ---- describe.c: Pair and Vm of the interface ---- */

json_t *us_rpc_pair_json(const struct us_host_pair *pair);
json_t *us_rpc_vm_json(const struct us_host_vm *vm);

/* ---- subscribers.c ---- */

/* Answers Monitor. */
void us_rpc_subscribe(struct us_rpc *rpc, struct us_call *call);
