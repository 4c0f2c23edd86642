/* SPDX-License-Identifier: BSD-3-Clause */
/* The VM as a domain of libvirt. It has the devices of the command line in arguments.c. */
#pragma once

#include "util/error.h"

struct us_lab_vm;

/* Makes the domain and starts it; the lab's monitor then exists. */
int us_lab_domain_create(const struct us_lab_vm *vm, struct us_reason *reason);
/* Ends the domain's QEMU as if it had crashed; returns once libvirt has noticed. */
void us_lab_domain_kill(const struct us_lab_vm *vm);
