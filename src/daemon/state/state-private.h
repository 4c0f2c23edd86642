/* SPDX-License-Identifier: BSD-3-Clause */
/* For the files of this room: state.c writes the file, load.c reads it. */
#pragma once

#include <limits.h>

#include "daemon/state/state.h"
#include "util/timer.h"

enum {
	US_STATE_VERSION = 1,
};

struct us_state {
	struct us_vms *vms;
	const char *directory;
	const struct us_state_handler *handler;
	void *userdata;
	struct us_timer saving; /* set when the file is older than the state */
	bool is_unsaved;	/* the file could not be written */
	bool is_loading;	/* VMs are missing: the file is not written, but … */
	bool must_save;		/* … once all are loaded */
};

/* The path of the state file with @suffix. */
void us_state_path(const struct us_state *state, const char *suffix, char ret_path[PATH_MAX]);
/* A VM's part of the file; the caller frees it. NULL: no memory. */
char *us_state_vm_text(const struct us_state *state, struct us_host_vm *vm);
