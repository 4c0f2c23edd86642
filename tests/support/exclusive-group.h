/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands for the group of a VF: a terminal, which while it is opened exclusively answers
 * another open(2) with EBUSY, as VFIO does, to a process without CAP_SYS_ADMIN.
 */
#pragma once

/* Before the first: gives CAP_SYS_ADMIN up. False: not root, who may change owners. */
bool exclusive_group_init(void);
/* Makes it dev/vfio/1 of the tree, and takes it away again. */
void exclusive_group_new(void);
void exclusive_group_free(void);
const char *exclusive_group_path(void);
/* A VMM has it open, and does not any more. */
void exclusive_group_open(void);
void exclusive_group_close(void);
