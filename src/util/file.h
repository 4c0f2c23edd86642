/* SPDX-License-Identifier: BSD-3-Clause */
/* Files: cleanup functions, and replacing a file as a whole. */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/uio.h>

#include "util/cleanup.h"

US_DEFINE_CLEANUP(DIR *, closedir)
US_DEFINE_CLEANUP(FILE *, fclose)

/*
 * Replaces the file at @path by one with the bytes of @parts: a reader finds the old file or
 * the new file, never a part. Returns 0, or -errno; then the old file is unchanged.
 */
int us_file_replace(const char *path, const struct iovec *parts, size_t count);
