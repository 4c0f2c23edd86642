/* SPDX-License-Identifier: BSD-3-Clause */
/* Between vm.c, vm-arguments.c and vm-console.c. */
#pragma once

#include <stddef.h>

struct us_vm;

/* QEMU's command line, one argument after the other in one buffer. */
struct us_lab_vm_arguments {
	const char *argv[80];
	size_t count, used;
	char text[6000];
};

/* Fills zeroed @arguments by vm->lab and vm->options. */
void us_lab_vm_arguments(struct us_lab_vm_arguments *arguments, const struct us_vm *vm);

/*
 * The lab's monitor, before QEMU starts and once it has. Where QEMU can be given a descriptor,
 * @ret_theirs is one, the caller's to close, and @ours is connected to it; else it is -1, QEMU
 * connects to us_lab_vm_monitor_path(), and @ours listens there.
 */
int us_lab_vm_monitor_open(const struct us_vm *vm, int *ret_ours, int *ret_theirs);
/* Takes @ours; waits for QEMU, whose process is @pid, to connect. Returns as us_lab_wait(), or
 * -ECHILD. */
int us_lab_vm_monitor_connect(const struct us_vm *vm, int ours, pid_t pid, int *ret_fd);

/* Connects to the console's socket, which exists once QEMU's monitors answer. */
int us_lab_vm_console_open(struct us_vm *vm);
void us_lab_vm_console_close(struct us_vm *vm);
