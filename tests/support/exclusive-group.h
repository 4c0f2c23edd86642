/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A terminal stands for the IOMMU group of a VF. While a process has it open exclusively, another
 * open(2) fails with EBUSY, as with VFIO, for a process without CAP_SYS_ADMIN.
 */
#pragma once

#include <stdbool.h>

/* To be called first: gives up CAP_SYS_ADMIN. False: the process is not root, and cannot change
 * owners. */
bool exclusive_group_init(void);

/* Makes the terminal dev/vfio/1 of the sysfs tree, and removes it. */
void exclusive_group_new(void);
void exclusive_group_free(void);
const char *exclusive_group_path(void);

/* A VMM opens the group, and closes it. */
void exclusive_group_open(void);
void exclusive_group_close(void);
