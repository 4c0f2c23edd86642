/* SPDX-License-Identifier: BSD-3-Clause */
/* Amounts as people write them: "8M", "2.5". */
#pragma once

#include <stdint.h>

/*
 * Reads a whole number from 1 on, which may end with K or M, for 1024 or 1024 * 1024, if @units
 * has that letter. Returns 0 or -EINVAL.
 */
int us_quantity_number(const char *text, const char *units, uint64_t *ret_number);

/* Reads seconds above 0 and below a million, in microseconds. Returns 0 or -EINVAL. */
int us_quantity_seconds(const char *text, uint64_t *ret_usec);
