/* SPDX-License-Identifier: BSD-3-Clause */
/* The migration address: the address of this host at which an incoming migration listens. */
#pragma once

#include "util/error.h"

/* Whether @text is an IP address of one interface: not 0.0.0.0, ::, broadcast or multicast. 0 or
 * US_REFUSED. */
int us_migration_address_check(const char *text, struct us_reason *reason);
