/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/qemu/registers/guest-memory.h"

void us_qemu_memory_command(uint64_t address, size_t size,
			    char ret_command[US_QEMU_MEMORY_COMMAND_SIZE])
{
	snprintf(ret_command, US_QEMU_MEMORY_COMMAND_SIZE, "xp /%zuxb 0x%" PRIx64, size, address);
}

int us_qemu_decode_memory(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t count = 0;

	for (; text && *text; text++) {
		char *end;
		unsigned long value;

		/* An address ends with a colon, a byte is "0x" and two digits. */
		if (text[0] != ' ' || text[1] != '0' || text[2] != 'x')
			continue;
		value = strtoul(text + 1, &end, 16);
		if (end != text + 5 || count == size)
			return -EBADMSG;
		ret_bytes[count++] = value;
		text += 4;
	}
	return count == size ? 0 : -EBADMSG;
}

uint64_t us_qemu_decode_little_endian(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | bytes[size];
	return value;
}
