/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8 (RFC 3629). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the character at the head of @string, which ends with a NUL. Returns its length; 0: the
 * bytes there are no UTF-8. Never reads behind the NUL.
 */
size_t us_utf8_decode(const char *string, uint32_t *ret_character);
