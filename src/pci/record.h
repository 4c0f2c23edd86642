/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of reserved VFs, as files: what reserve.h does with them is written there. */
#pragma once

#include "pci/reserve.h"

/* Makes a record that is not there, all of it or nothing. -EEXIST: there is one. */
int us_record_make(const char *directory, const struct us_reserved *reserved);
/* 0, -ENOENT, or -EBADMSG for a file that is no record. */
int us_record_read(const char *directory, const char *address, struct us_reserved *ret_reserved);
int us_record_replace(const char *directory, const struct us_reserved *reserved);
int us_record_remove(const char *directory, const char *address);
