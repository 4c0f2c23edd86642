/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an incoming migration listens: one address of this host, never all of them. */
#pragma once

#include "util/error.h"

/* Refused, in words: no IP address, or one that stands for several hosts or interfaces. */
int us_migration_address_check(const char *text, struct us_reason *reason);
