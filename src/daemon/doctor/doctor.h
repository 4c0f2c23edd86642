/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Diagnose: what could prevent a primary of this host, or of a VM, from being shown or hidden. The
 * doctor looks at the daemon, the host, the VM and its pairs, and changes nothing.
 */
#pragma once

#include "api/server.h"
#include "daemon/vm/vm.h"

struct us_doctor;
struct us_libvirt;

/* What the other parts of the daemon know. */
struct us_doctor_handler {
	/* The state directory if the state file cannot be written; else NULL. */
	const char *(*unsaved)(void *userdata);
	bool (*is_migrating)(const struct us_host_vm *vm);
	/* Calls @each with the reason of each declared pair of @vm that was refused. */
	void (*each_refusal)(void *userdata, const struct us_host_vm *vm,
			     void (*each)(void *each_userdata, const struct us_reason *reason),
			     void *each_userdata);
	/* How often the guest did not release the primary in time, and how often the next expose
	 * was delayed. */
	void (*failures)(void *userdata, struct us_host_pair *pair, unsigned *ret_unplug_timeouts,
			 unsigned *ret_backoffs);
};

struct us_doctor_config {
	struct us_vms *vms;
	struct us_vfs *vfs;
	const struct us_libvirt *libvirt;
	const char *libvirt_uri; /* whose domains are adopted, or "none" */
};

/* Borrows all, and copies @config. Returns 0 or -errno. */
int us_doctor_new(struct us_doctor **ret_doctor, const struct us_doctor_config *config,
		  const struct us_doctor_handler *handler, void *userdata);
void us_doctor_free(struct us_doctor *doctor);

/* Answers Diagnose, now or when the VMM has answered. @vm: NULL for the host alone. */
void us_doctor_diagnose(struct us_doctor *doctor, struct us_host_vm *vm, struct us_call *call);
/* @vm is being detached: answers its diagnoses with the findings so far. */
void us_doctor_forget_vm(struct us_doctor *doctor, const struct us_host_vm *vm);
