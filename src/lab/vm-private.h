/* SPDX-License-Identifier: BSD-3-Clause */
/* Between vm.c, vm-arguments.c and vm-console.c. */
#pragma once

#include <stddef.h>

struct us_vm;

/* QEMU's command line, one argument after the other in one buffer. */
struct us_vm_arguments {
	const char *argv[80];
	size_t count, used;
	char text[6000];
};

/* Fills zeroed @arguments by vm->lab and vm->options. */
void us_vm_arguments(struct us_vm_arguments *arguments, const struct us_vm *vm);

/* Connects to the console's socket, which exists once QEMU's monitors answer. */
int us_vm_console_open(struct us_vm *vm);
void us_vm_console_close(struct us_vm *vm);
