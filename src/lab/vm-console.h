/* SPDX-License-Identifier: BSD-3-Clause */
/* Between vm.c and vm-console.c. */
#pragma once

struct us_vm;

/* Connects to the console's socket, which exists once QEMU's monitors answer. */
int us_vm_console_open(struct us_vm *vm);
void us_vm_console_close(struct us_vm *vm);
