/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/world/options.h"

static const char *const host_names[] = { "host-a", "host-b" };
_Static_assert(sizeof(host_names) / sizeof(host_names[0]) == US_LAB_HOSTS, "a name for each host");

static const char *const kind_names[] = { "netns", "vm" };
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == US_LAB_HOST_KINDS,
	       "a name for each kind of hosts");

static const char *const vmm_names[] = { "qemu", "libvirt" };
_Static_assert(sizeof(vmm_names) / sizeof(vmm_names[0]) == US_LAB_VMMS, "a name for each VMM");

static const char *const manager_names[] = { "understudy", "qemu", "libvirt-teaming" };
_Static_assert(sizeof(manager_names) / sizeof(manager_names[0]) == US_LAB_MANAGERS,
	       "a name for each manager");

const char *us_lab_host_name(enum us_lab_host host)
{
	return host_names[host];
}

const char *us_lab_host_kind_name(enum us_lab_host_kind kind)
{
	return kind_names[kind];
}

const char *us_lab_vmm_name(enum us_lab_vmm vmm)
{
	return vmm_names[vmm];
}

const char *us_lab_manager_name(enum us_lab_manager manager)
{
	return manager_names[manager];
}
