/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is different if the VM is a domain of libvirt: libvirt plugs the primary, because it
 * prepares the domain's cgroup, namespace, labels and memory limit, and it runs migrations. All
 * else is the same, over a channel that passes QMP (vmm/libvirt/libvirt.h).
 */
#pragma once

#include "vmm/qemu/qemu-private.h"

/* Learns the process of QEMU: the helper is at the other end of the channel. */
void us_qemu_domain_query_process(struct us_vmm *vmm);

/* us_vmm_configure_transfer(), us_vmm_start_transfer() and us_vmm_cancel_transfer() of a domain */
int us_qemu_domain_configure(struct us_vmm *vmm, const json_t *settings, us_vmm_settings_fn before,
			     us_vmm_done_fn done, void *userdata);
int us_qemu_domain_start_transfer(struct us_vmm *vmm, const struct us_transfer_target *target,
				  us_vmm_done_fn done, void *userdata);
int us_qemu_domain_cancel_transfer(struct us_vmm *vmm, us_vmm_done_fn done, void *userdata);
