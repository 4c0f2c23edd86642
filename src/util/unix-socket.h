/* SPDX-License-Identifier: BSD-3-Clause */
/* Unix stream sockets, by the path of a file. */
#pragma once

#include "util/error.h"

/* Connects without blocking; *@ret_fd, non-blocking, is the caller's. Returns 0 or -errno. */
int us_connect_unix(const char *path, int *ret_fd);

/*
 * Listens at @path for connections from everyone. *@ret_fd, non-blocking, and the file at @path are
 * the caller's. Replaces a socket at which nobody listens. Refused: any other file at @path.
 * Returns 0, US_REFUSED or a negative errno.
 */
int us_listen_unix(const char *path, int *ret_fd, struct us_reason *reason);
