/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The declarations of VMs, for the files of this room: declaration.c converts declared pairs,
 * declared-table.c has what each VM declares, declared-pairs.c has the pairs of a VM follow its
 * declaration, declared.c has the VMs follow the reports of libvirt, declare.c changes
 * declarations.
 */
#pragma once

#include "daemon/rpc/rpc-private.h"

/* ---- declared-table.c ---- */

/* The declaration of a VM that exists. */
struct us_declared {
	struct us_list link;
	struct us_host_vm *vm;
	json_t *pairs;	  /* its present one: an array of attributes */
	json_t *followed; /* by the name of the standby: the attributes that its pair has */
	json_t *refused;  /* by the name of the standby: why its pair is not as declared */
};

/* NULL: no declaration of @vm is known. */
struct us_declared *us_declared_find(const struct us_rpc *rpc, const struct us_host_vm *vm);
void us_declared_free(struct us_declared *declaration);
/* The attributes of the pair that is declared for @standby; NULL: there is none. */
const json_t *us_declared_standby(const struct us_declared *declaration, const char *standby);

/* @vm declares @pairs from now on: an array of attributes; NULL: none. */
void us_declared_set(struct us_rpc *rpc, struct us_host_vm *vm, const json_t *pairs);
/* Whether a declaration of @vm is known. */
bool us_declared_has(const struct us_rpc *rpc, const struct us_host_vm *vm);
/* The pair for @standby was refused. False: for the same reason as before. */
bool us_declared_refuse(struct us_declared *declaration, const char *standby,
			const struct us_reason *reason);
/* Whether @vm declares a pair for @standby. */
bool us_declared_has_standby(const struct us_rpc *rpc, const struct us_host_vm *vm,
			     const char *standby);

/* ---- declared-pairs.c ---- */

/*
 * Adds the pairs of @vm that are new in its declaration, changes those that it changed, and removes
 * those that it no longer has. @vm is adopted.
 */
void us_declared_follow(struct us_rpc *rpc, struct us_host_vm *vm);
/* The timer `following`. */
void us_declared_on_follow(void *userdata);

/* ---- declare.c ---- */

/* The call of UndeclarePair for the pair @name, which is the caller's then; NULL: there is none. */
struct us_call *us_declare_take_removal(struct us_rpc *rpc, const char *name);
/* A declared pair of @vm exists (@r is 0) or was refused: answers DeclarePair if that waits. */
void us_declare_pair_added(struct us_rpc *rpc, const struct us_host_vm *vm, const char *standby,
			   int r, const struct us_reason *reason);
/* @vm is lost or being freed: its pairs cannot be waited for. */
void us_declare_forget_vm(struct us_rpc *rpc, const struct us_host_vm *vm);
