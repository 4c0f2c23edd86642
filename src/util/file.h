/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are replaced whole. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

/*
 * Writes @parts, one after the other, to a file beside @path and lets it take the place of the one
 * at @path: whoever reads that finds the old one or the new one, whole. Returns 0 or -errno, then
 * the old one is still there and nothing beside it. @parts are used up.
 */
int us_file_replace(const char *path, struct iovec *parts, size_t count);
