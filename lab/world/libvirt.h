/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvirtd on a host, for `--vmm libvirt`: one for each host, in the host's namespaces. Its
 * configuration, state and sockets are in the lab's directory.
 */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

#define US_LAB_LIBVIRT_URI 260
/* The file @name in the directory that libvirt and its VMs on @host see as /var/lib/libvirt/lab. */
const char *us_lab_libvirt_path(const struct us_lab *lab, enum us_lab_host host, const char *name,
				char path[US_LAB_PATH]);
const char *us_lab_libvirt_uri(const struct us_lab *lab, enum us_lab_host host,
			       char uri[US_LAB_LIBVIRT_URI]);

/* Starts libvirtd on @host; returns once it answers. */
int us_lab_libvirt_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason);
/* Ends the daemons and VMs of libvirt on all hosts that have it. */
void us_lab_libvirt_end(struct us_lab *lab);

/* Runs virsh(1) on @host. Returns its exit status, or a negative errno. */
int us_lab_libvirt_virsh(const struct us_lab *lab, enum us_lab_host host, const char *command,
			 const char *argument);
/* The PID of the domain "web" on @host; 0: it does not run there. */
pid_t us_lab_libvirt_domain_pid(const struct us_lab *lab, enum us_lab_host host);
