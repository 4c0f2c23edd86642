/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of VMs and pairs. They end up in the ids of QEMU's devices and in file names. */
#pragma once

#include <stdbool.h>

/* The characters of this and of other names */
#define US_NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum {
	US_NAME_MAX = 32, /* with its NUL */
};

/* Whether @name begins with a letter, has letters, digits, '.', '_', '-', and is short enough. */
bool us_name_is_valid(const char *name);
