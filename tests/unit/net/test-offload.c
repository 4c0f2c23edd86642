/* SPDX-License-Identifier: BSD-3-Clause */
/* Valid and invalid offload metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/frame/frame.h"
#include "util/cleanup.h"

enum { N = 1, V = 2 }; /* flags: needs a checksum, has a valid one */

static const struct {
	struct virtio_net_hdr header; /* flags, gso_type, hdr_len, gso_size, csum_start, _offset */
	size_t length;
	bool is_valid;
} cases[] = {
	{ { 0, 0, 0, 0, 0, 0 }, 14, true },
	{ { V, 0, 0, 0, 0, 0 }, 60, true },
	{ { N, 0, 0, 0, 34, 16 }, 60, true },
	{ { N, 0, 0, 0, 34, 16 }, 52, true }, /* the field ends with the frame */
	{ { N, 0, 0, 0, 34, 16 }, 51, false },
	{ { N, 0, 0, 0, 13, 16 }, 60, false }, /* in the Ethernet header */
	{ { N, 0, 0, 0, 14, 0 }, 16, true },
	{ { N, 0, 0, 0, 65535, 65535 }, 65535, false }, /* the sum does not wrap */
	{ { 0, 0, 0, 0, 65535, 65535 }, 60, true },	/* unused without the flag */
	{ { N | V, 0, 0, 0, 34, 16 }, 60, false },
	{ { 4, 0, 0, 0, 0, 0 }, 60, false },
	{ { 0x81, 0, 0, 0, 34, 16 }, 60, false },
	{ { N, 1, 54, 1448, 34, 16 }, 9000, true },
	{ { N, 0x81, 54, 1448, 34, 16 }, 9000, true },
	{ { N, 4, 74, 1428, 54, 16 }, 9000, true },
	{ { N, 0x84, 74, 1428, 54, 16 }, 9000, true },
	{ { N, 3, 42, 1480, 34, 6 }, 9000, true },
	{ { N, 5, 42, 1472, 34, 6 }, 9000, true },
	{ { N, 1, 54, 0, 34, 16 }, 9000, false }, /* empty segments */
	{ { N, 3, 54, 0, 34, 6 }, 9000, false },
	{ { N, 0x83, 54, 1448, 34, 6 }, 9000, false }, /* ECN without TCP */
	{ { N, 0x80, 54, 1448, 34, 6 }, 9000, false },
	{ { N, 2, 54, 1448, 34, 6 }, 9000, false },
	{ { N, 0x21, 54, 1448, 34, 16 }, 9000, false }, /* a tunnel */
	{ { N, 77, 54, 1448, 34, 16 }, 9000, false },
	{ { N, 1, 9000, 1448, 34, 16 }, 9000, true },
	{ { N, 1, 9001, 1448, 34, 16 }, 9000, false },
	{ { 0, 0, 61, 0, 0, 0 }, 60, false },
};

static void test_valid(void **state)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++)
		if (us_offload_is_valid(&cases[i].header, cases[i].length) != cases[i].is_valid)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_valid) };

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
