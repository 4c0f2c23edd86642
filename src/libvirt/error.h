/* SPDX-License-Identifier: BSD-3-Clause */
/* Refusals in the words of libvirt. */
#pragma once

#include "util/error.h"

/*
 * Refuses @what in libvirt's words for the last failure in this thread, with the next step if one
 * is known. Returns US_REFUSED.
 */
int us_lv_refuse(struct us_reason *reason, const char *what);

/* The next step after libvirt's error @code (virterror.h) with @words; NULL: none is known. */
const char *us_lv_next_step(int code, const char *words);
