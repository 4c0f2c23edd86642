/* SPDX-License-Identifier: BSD-3-Clause */
/* Refusals in the words of libvirt. */
#pragma once

#include "util/error.h"

/* Refuses @what in libvirt's words for the last failure in this thread. Returns US_REFUSED. */
int us_lv_refuse(struct us_reason *reason, const char *what);
