/* SPDX-License-Identifier: BSD-3-Clause */
/* A network boot for the guest: DHCP and HTTP servers in the client's namespace. */
#pragma once

#include "lab/world/lab.h"

/* Serves the kernel, the initramfs and @script (of iPXE, without its first line). The servers are
 * recorded as "client-…". Returns 0 or -errno. */
int us_lab_netboot_start(struct us_lab *lab, const char *script);

#define US_LAB_NETBOOT_URL "http://10.83.0.9"
