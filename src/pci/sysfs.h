/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI devices in sysfs (Documentation/ABI/testing/sysfs-bus-pci). @sysfs is "/sys", or another root
 * in tests.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "util/file.h"

enum {
	US_PCI_ADDRESS_SIZE = 16, /* "0000:5e:00.2", with its NUL */
	US_PCI_DRIVER_SIZE = 64,
};

/* Whether it is a full PCI address, like "0000:5e:00.2". So it is safe as a component of a path. */
bool us_pci_is_address(const char *text);

/* The device's directory, @sysfs/bus/pci/devices/@address. */
void us_pci_directory(const char *sysfs, const char *address, char ret_path[PATH_MAX]);

/* The last component of the target of the symbolic link @name in @directory; "" for none. */
void us_sysfs_link(const char *directory, const char *name, char *ret_name, size_t size);

/* The first line of a file, without its newline. 0, or a negative errno and "". */
int us_sysfs_read(const char *directory, const char *name, char *ret_text, size_t size);

/* Writes a file with one write(2), as sysfs needs it. May take seconds. 0 or a negative errno. */
int us_sysfs_write(const char *directory, const char *name, const char *text);

/* vfio-pci, or a variant of it for one vendor's devices (mlx5_vfio_pci, ...). */
bool us_pci_is_vfio_driver(const char *driver);
