/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file: the VMs and pairs of this daemon, their options and their holds, across a restart
 * of the daemon. Everything else is observed anew.
 *
 * The file is one JSON object, and each change replaces it as a whole before the change is
 * answered. The text of each VM is kept until that VM changes. A file that makes no sense is
 * renamed, and an entry that makes no sense is left out as a whole.
 */
#pragma once

#include "daemon/vm/vm.h"

struct us_state;

/* What the other parts of the daemon keep for a VM. */
struct us_state_handler {
	/* Whether AttachVm is not answered yet: the VM is not in the file before. */
	bool (*is_attaching)(void *userdata, const struct us_host_vm *vm);
	/* QEMU's settings that a migration has changed and has to restore; borrowed. NULL: none. */
	json_t *(*settings)(void *userdata, const struct us_host_vm *vm);
	/* The same of before a restart, for a new VM. Returns 0, -EBADMSG or another errno. */
	int (*load_settings)(void *userdata, struct us_host_vm *vm, json_t *settings);
};

/* Borrows all; @directory exists when the first of the functions below is called. 0 or -errno. */
int us_state_new(struct us_state **ret_state, struct us_vms *vms, sd_event *loop,
		 const char *directory, const struct us_state_handler *handler, void *userdata);
void us_state_free(struct us_state *state);

/* Makes the VMs and pairs of the file. Returns 0 or a negative errno. */
int us_state_load(struct us_state *state);

/* The list of VMs has changed. Returns 0 or a negative errno; then the file is written later. */
int us_state_save(struct us_state *state);
/* @vm has changed. */
int us_state_save_vm(struct us_state *state, struct us_host_vm *vm);
/* The same, and the file is written soon: many changes at once make one file. */
void us_state_save_soon(struct us_state *state, struct us_host_vm *vm);
/* @vm has changed, or is being freed; the file is written with the next change. */
void us_state_forget_text(struct us_host_vm *vm);

/* The directory if the file could not be written the last time; else NULL. */
const char *us_state_unsaved(const struct us_state *state);
