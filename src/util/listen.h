/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening sockets of our own. */
#pragma once

#include "util/error.h"

/*
 * Listens on a Unix stream socket that everyone may connect to; @ret_fd, non-blocking, and the file
 * at @path are the caller's. A socket that nobody listens on any more is replaced. Refused, in
 * words: anything else at @path. Returns 0, US_REFUSED or a negative errno.
 */
int us_listen_unix(const char *path, int *ret_fd, struct us_reason *reason);
