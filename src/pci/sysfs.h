/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI devices as sysfs shows them (Documentation/ABI/testing/sysfs-bus-pci). @sysfs is "/sys",
 * another root in tests.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/file.h"

enum {
	US_PCI_ADDRESS_SIZE = 16, /* "0000:5e:00.2", with its NUL */
	US_PCI_DRIVER_SIZE = 64,
};

/* "0000:5e:00.2", and nothing that could lead elsewhere as a path. */
bool us_pci_is_address(const char *text);

/* Its directory, @sysfs/bus/pci/devices/@address. */
void us_pci_directory(const char *sysfs, const char *address, char ret_path[PATH_MAX]);

/* The last component of what the symbolic link @name in @directory points to, "" for none. */
void us_sysfs_link(const char *directory, const char *name, char *ret_name, size_t size);

/* The first line of a file, without its end. 0, or a negative errno and "". */
int us_sysfs_read(const char *directory, const char *name, char *ret_text, size_t size);

/* Writes a file in one go, as sysfs wants it. May take seconds. 0 or a negative errno. */
int us_sysfs_write(const char *directory, const char *name, const char *text);

/* vfio-pci and its variants for one vendor's devices (mlx5_vfio_pci, …). */
bool us_pci_is_vfio_driver(const char *driver);
