/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvirtd on a host, for `--vmm libvirt`: one for each host. In namespaces its configuration,
 * state and sockets are in the lab's directory; in a machine they are where the package has them.
 */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

#define US_LAB_LIBVIRT_URI 260
#define US_LAB_LIBVIRT_DIR "/var/lib/libvirt/lab" /* as libvirt and its VMs see it */
/* The file @name in that directory, as other programs on @host see it. */
const char *us_lab_libvirt_path(const struct us_lab *lab, enum us_lab_host host, const char *name,
				char path[US_LAB_PATH]);
const char *us_lab_libvirt_uri(const struct us_lab *lab, enum us_lab_host host,
			       char uri[US_LAB_LIBVIRT_URI]);

/* The URI with which the other host's libvirtd migrates a domain to @host. */
const char *us_lab_libvirt_target(const struct us_lab *lab, enum us_lab_host host,
				  char uri[US_LAB_LIBVIRT_URI]);

/* Starts libvirtd on @host; returns once it answers. */
int us_lab_libvirt_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason);
/* Ends the daemons and VMs of libvirt on all hosts that have it. */
void us_lab_libvirt_end(struct us_lab *lab);

/* Runs virsh(1) on @host; @words end with NULL. Returns its exit status, or a negative errno. */
int us_lab_libvirt_virsh(const struct us_lab *lab, enum us_lab_host host,
			 const char *const words[]);
/* The same, but does not wait for its end: as us_lab_process_start(). */
int us_lab_libvirt_virsh_start(const struct us_lab *lab, enum us_lab_host host, const char *record,
			       const char *const words[], pid_t *ret_pid);
/* The PID of the domain "web" on @host; 0: it does not run there. */
pid_t us_lab_libvirt_domain_pid(const struct us_lab *lab, enum us_lab_host host);
/* Ends that process, if there is one; does not wait. */
void us_lab_libvirt_domain_kill(const struct us_lab *lab, enum us_lab_host host);
