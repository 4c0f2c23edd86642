/* SPDX-License-Identifier: BSD-3-Clause */
/* An operator's access to a lab: what runs in it, and a shell in one of its places. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

void us_lab_print_status(const struct us_lab *lab);
/* Replaces this process by a shell in @place: "host-a", "host-b", "client", or "guest". */
int us_lab_enter(const struct us_lab *lab, const char *place, struct us_reason *reason);
