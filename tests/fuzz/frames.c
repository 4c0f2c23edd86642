/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a frame from or to the guest: six for its MAC, the rest the frame. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/frame/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t nobody[16] = { 0 };
	struct us_frame_address address;
	uint8_t *copy;

	if (size < 7)
		return 0;
	copy = malloc(size - 6);
	assert(copy);
	memcpy(copy, data + 6, size - 6);
	if (us_frame_learn(copy, size - 6, data, &address)) {
		if (address.family == AF_INET)
			assert(address.bytes[0] && address.bytes[0] < 224);
		else
			assert(address.family == AF_INET6 && address.bytes[0] == 0xfe);
		assert(!address.is_certain || memcmp(copy + 6, data, 6) == 0);
	}
	assert(!us_frame_is_arp_probe(copy, size - 6) ||
	       !us_frame_is_arp_answer(copy, size - 6, data, data));
	assert(!us_frame_is_advertisement_to(copy, size - 6, data, nobody) ||
	       memcmp(copy + 38, nobody, sizeof(nobody)) == 0);
	free(copy);
	return 0;
}
