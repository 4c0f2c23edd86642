/* SPDX-License-Identifier: BSD-3-Clause */
/* The machines that a guest can be: QEMU's machine types, and what they need from the lab. */
#pragma once

#include <stdbool.h>

struct us_lab_platform {
	const char *name;	      /* QEMU's machine type */
	const char *arch;	      /* Debian's architecture */
	const char *qemu;	      /* the program that emulates it */
	const char *cpu;	      /* QEMU's CPU model, or NULL for its default */
	const char *kernel_arguments; /* the console, and settings that shorten the boot */
	const char *hotplug;	      /* the only hot-plug method it has, or NULL */
	bool is_ccw;		      /* its virtio devices are CCW devices, not PCI devices */
	bool has_ports;		      /* its PCI devices are plugged into PCIe ports */
	bool has_bios;		      /* SeaBIOS, which logs the PCI devices that it finds */
};

/* Returns NULL if no platform has this name. */
const struct us_lab_platform *us_lab_platform_find(const char *name);
