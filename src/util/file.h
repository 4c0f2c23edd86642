/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that close themselves, or are replaced whole. */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/uio.h>

#include "util/cleanup.h"

US_DEFINE_CLEANUP(DIR *, closedir)
US_DEFINE_CLEANUP(FILE *, fclose)

/*
 * Writes @parts, one after the other, to a file beside @path and lets it take the place of the one
 * at @path: whoever reads that finds the old one or the new one, whole. Returns 0 or -errno, then
 * the old one is still there and nothing beside it. @parts are used up.
 */
int us_file_replace(const char *path, struct iovec *parts, size_t count);
