/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the guest's physical memory as a debugger does: by the "xp" command of QEMU's human
 * monitor. Reading changes nothing in the guest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	US_QEMU_MEMORY_COMMAND_SIZE = 64,
};

/* The command that reads @size bytes at @address. */
void us_qemu_memory_command(uint64_t address, size_t size,
			    char ret_command[US_QEMU_MEMORY_COMMAND_SIZE]);

/* Decodes its answer: exactly @size bytes, else -EBADMSG. @text may be NULL. */
int us_qemu_decode_memory(const char *text, uint8_t *ret_bytes, size_t size);

/* The value of @size bytes (at most 8) in little-endian order. */
uint64_t us_qemu_decode_little_endian(const uint8_t *bytes, size_t size);
