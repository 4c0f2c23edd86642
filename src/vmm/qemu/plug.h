/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugging a primary, in two steps. First QEMU is asked whether the id is free, and for a free
 * slot. Then the back end and the device are made.
 */
#pragma once

#include "vmm/vmm.h"

/*
 * Cancels a plug of @id that is in its first step, because its device would come after the unplug
 * that is about to be sent. Returns whether there was one; its request is refused.
 */
bool us_qemu_plug_cancel(struct us_vmm *vmm, const char *id);
