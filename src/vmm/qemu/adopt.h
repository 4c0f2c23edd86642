/* SPDX-License-Identifier: BSD-3-Clause */
/* Adopting a VM: what is asked of a QEMU that greeted, until US_VMM_ADOPTED. */
#pragma once

#include "vmm/qemu/qmp.h"
#include "vmm/vmm.h"

/* The `ready` of struct us_qmp_handler */
void us_qemu_adopt(struct us_vmm *vmm, const struct us_qmp_version *version);
