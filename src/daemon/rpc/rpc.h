/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control API of the daemon: the methods of org.understudy.Control, their replies that wait for
 * pairs, and the subscribers of events.
 */
#pragma once

#include "api/server.h"
#include "daemon/vm/vm.h"

struct us_libvirt;
struct us_libvirt_report;
struct us_metrics_daemon;
struct us_migrations;
struct us_rpc;

struct us_rpc_config {
	sd_event *loop;
	struct us_vms *vms;
	struct us_state *state;
	struct us_metrics *metrics;
	struct us_doctor *doctor;
	const struct us_migrations *migrations;
	struct us_libvirt *libvirt;
	const char *config_path; /* understudyd.conf(5) */
	uint64_t started_usec;	 /* CLOCK_REALTIME */
};

/* Borrows all of @config, and copies it. Returns 0 or -errno. */
int us_rpc_new(struct us_rpc **ret_rpc, const struct us_rpc_config *config);
/* After all VMs are gone. */
void us_rpc_free(struct us_rpc *rpc);

/* Serves clients at @path, or on @fd >= 0 (taken): us_server_new(). */
int us_rpc_serve(struct us_rpc *rpc, sd_event *loop, const char *path, int fd,
		 struct us_reason *reason);
/* Ends the connections of all clients; every call is gone. */
void us_rpc_stop_serving(struct us_rpc *rpc);

/* The methods of the API, for a server; their userdata is a struct us_rpc. */
extern const struct us_method us_rpc_methods[];

/* Sets the members of @ret_counts about clients. Not before us_rpc_serve(). */
void us_rpc_count(const struct us_rpc *rpc, struct us_metrics_daemon *ret_counts);

/* ---- What happens to VMs and pairs ---- */

/* Logs a move of @pair, which was @from, and tells the subscribers; unless @moved, only these. */
void us_rpc_publish_move(struct us_rpc *rpc, const struct us_host_pair *pair, enum us_primary from,
			 bool moved);
/* Tells the subscribers of the event @name of @vm: "adopted", "STOP". */
void us_rpc_publish_vm(struct us_rpc *rpc, const struct us_host_vm *vm, const char *name);
/* Logs @line about the @stage of a migration of @vm, and tells the subscribers. */
void us_rpc_publish_stage(struct us_rpc *rpc, struct us_host_vm *vm, const char *stage,
			  const char *line);

/* @vm is adopted: adds the pairs that its domain declares. */
void us_rpc_declared_vm_adopted(struct us_rpc *rpc, struct us_host_vm *vm);
/* @vm is being freed, and its declaration with it. */
void us_rpc_forget_declaration(struct us_rpc *rpc, const struct us_host_vm *vm);
/* Soon detaches the VMs whose domain has stopped, if nobody attached them. */
void us_rpc_forget_soon(struct us_rpc *rpc);
/* Calls @each with the reason of each declared pair of @vm that is not as declared. */
void us_rpc_each_refusal(const struct us_rpc *rpc, const struct us_host_vm *vm,
			 void (*each)(void *userdata, const struct us_reason *reason),
			 void *userdata);

/* libvirt reports a domain: adopts it, and the pairs that it declares. */
void us_rpc_domain_reported(struct us_rpc *rpc, const struct us_libvirt_report *report);
/* @vm is adopted: answers AttachVm if that waits for it. */
void us_rpc_vm_adopted(struct us_rpc *rpc, struct us_host_vm *vm);
/* @vm is not adopted: fails AttachVm if that waits for it. True: then the VM is to be freed. */
bool us_rpc_vm_refused(struct us_rpc *rpc, struct us_host_vm *vm, const struct us_reason *reason);
/* Whether AttachVm waits for @vm. */
bool us_rpc_is_attaching(const struct us_rpc *rpc, const struct us_host_vm *vm);
/* @vm is being freed: ends the calls about it. */
void us_rpc_forget_vm(struct us_rpc *rpc, struct us_host_vm *vm);
