/* SPDX-License-Identifier: BSD-3-Clause */
/* A tree of plain files that looks like sysfs: enough for reading, and for refusals. */
#pragma once

/* The root of the tree. It has sysfs in "sys" and /dev in "dev". */
extern char sysfs_tree_root[];

/* cmocka's setup and teardown: make an empty tree, and remove it. */
int sysfs_tree_setup(void **state);
int sysfs_tree_teardown(void **state);

/* Runs a shell script in the root of the tree; fails the test if the script fails. */
void sysfs_tree_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "ROOT/sys". */
const char *sysfs_tree_path(void);

/*
 * The PF @name at 0000:5e:00.0 with @count VFs from 0000:5e:00.1 on, each in an IOMMU group of its
 * number and bound to @driver.
 */
void sysfs_tree_add_pf(const char *name, int count, const char *driver);
