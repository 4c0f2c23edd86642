/* SPDX-License-Identifier: BSD-3-Clause */
/* The process of a domain's QEMU. */
#pragma once

#include <libvirt/libvirt.h>
#include <sys/types.h>

/*
 * libvirt's functions do not tell it; the file NAME.pid in libvirt's run directory does, on this
 * host only. The process must have the domain's UUID on its command line. Returns 0 if it is not
 * known.
 */
pid_t us_lv_process_of(virDomainPtr domain);
