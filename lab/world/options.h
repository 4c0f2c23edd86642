/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator chooses for the laboratory itself, and the names of the choices. */
#pragma once

#include <stdbool.h>

#include "lab/world/platform.h"

enum us_lab_host {
	US_LAB_HOST_A,
	US_LAB_HOST_B,
	US_LAB_HOSTS,
};

enum us_lab_host_kind {
	US_LAB_HOST_KIND_NETNS,	  /* a network namespace; its primary is emulated */
	US_LAB_HOST_KIND_MACHINE, /* an emulated machine; its primary is a VF (machine.h) */
	US_LAB_HOST_KINDS,
};

/* Who starts QEMU. */
enum us_lab_vmm {
	US_LAB_VMM_QEMU,    /* the lab itself */
	US_LAB_VMM_LIBVIRT, /* libvirtd: the VM is a domain (libvirt.h) */
	US_LAB_VMMS,
};

/* Who shows and hides the primary. */
enum us_lab_manager {
	US_LAB_MANAGER_UNDERSTUDY,
	US_LAB_MANAGER_QEMU,	/* QEMU's own failover; understudyd does not run */
	US_LAB_MANAGER_TEAMING, /* the same, made by libvirt */
	US_LAB_MANAGERS,
};

/* "host-a", "host-b". */
const char *us_lab_host_name(enum us_lab_host host);
/* "netns", "vm": the values of --hosts. */
const char *us_lab_host_kind_name(enum us_lab_host_kind kind);
/* "qemu", "libvirt". */
const char *us_lab_vmm_name(enum us_lab_vmm vmm);
/* "understudy", "qemu", "libvirt-teaming". */
const char *us_lab_manager_name(enum us_lab_manager manager);

#define US_LAB_MODEL_VF "vfio" /* the only primary of host machines, and only theirs */

/* All strings are borrowed. */
struct us_lab_options {
	const char *name;    /* of the laboratory */
	const char *qemu;    /* program; NULL: us_lab_emulator_choose() decides */
	const char *accel;   /* tcg or kvm */
	const char *guest;   /* the Debian release of the guest's kernel */
	const char *hotplug; /* acpi or native, or the platform's only method */
	const struct us_lab_platform *machine;
	const char *primary; /* QEMU's model of the primary; NULL: by the kind of hosts */
	enum us_lab_manager manager;
	enum us_lab_vmm vmm;
	enum us_lab_host_kind hosts;
	unsigned queues;      /* of the standby; also the guest's number of CPUs */
	unsigned memory;      /* of the guest, MiB */
	unsigned rate;	      /* frames per second, in each direction; 0: by the kind of hosts */
	bool has_lazy_memory; /* a machine's VM gets memory when it uses it, not when it starts */
	bool allows_unsound;  /* migrate with a QEMU that migrates wrongly; the run is invalid */
};
