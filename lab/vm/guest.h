/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest that an operator finds in a lab that is up. It outlives the process that starts it. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/* Starts a guest on host-a, attached to its daemon, with one pair. */
int us_lab_guest_start(struct us_lab *lab, struct us_reason *reason);
/* Ends the guest on either host, before a scenario starts its own. */
void us_lab_guest_end(struct us_lab *lab);
