/* SPDX-License-Identifier: BSD-3-Clause */
/* Which NIC models can be a primary: the PCI ones that this QEMU offers and Linux drives. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/* Refused, with the list of models, when @model cannot be the primary. */
int us_lab_model_check(const struct us_lab *lab, const char *model, struct us_reason *reason);
/* The SPEC of --primary (understudy(1)) for NIC @nic. Returns @buffer. */
const char *us_lab_model_spec(const struct us_lab *lab, unsigned nic, char buffer[100]);
