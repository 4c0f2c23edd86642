/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts the helper: a process group of its own, which ends with the daemon. */
#pragma once

#include <sys/types.h>

/*
 * Starts @program for the libvirtd at @uri. Its standard input is one end of a socket pair, and
 * *@ret_fd the other one, which is the caller's. Returns 0, or -errno, -ENOENT without the program.
 */
int us_libvirt_spawn(const char *program, const char *uri, pid_t *ret_pid, int *ret_fd);
