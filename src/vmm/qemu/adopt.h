/* SPDX-License-Identifier: BSD-3-Clause */
/* Adopting a VM: the questions between the greeting and US_VMM_ADOPTED. */
#pragma once

#include "vmm/qmp/qmp.h"
#include "vmm/vmm.h"

/* The `ready` of struct us_qmp_handler; @userdata is the VM. */
void us_qemu_adopt(void *userdata, const struct us_qmp_version *version);
