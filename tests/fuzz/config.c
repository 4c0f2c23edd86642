/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as understudyd.conf and as the pools' file: each is taken as a whole or refused with
 * words, and a member of the group gets nothing from a file that root could not use as well.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/rpc/permissions.h"
#include "pci/pools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_pools(const char *path)
{
	struct us_reason reason = { .text = "" };
	struct us_pools pools;
	int r = us_pools_read(path, &pools, &reason);

	must(r == 0 || (r == US_REFUSED && reason.text[0] && !pools.list));
	for (size_t i = 0; i < pools.count; i++)
		must(us_pools_find(&pools, pools.list[i].name) == &pools.list[i]);
	us_pools_free(&pools);
}

/* Whether the file says a word of @kind can only be told by asking: one value that no line can
 * have. */
static void check_allow(const char *path)
{
	static const char *const values[US_ALLOW_N] = { "/run/a/b", "ssh://root@b:22",
							"0000:5e:00.2", "fast" };
	uid_t other = geteuid() + 1;

	for (int what = 0; what < US_ALLOW_N; what++) {
		struct us_reason reason = { .text = "" }, other_reason = { .text = "" };
		int r = us_allow(path, other, what, values[what], &reason);
		int never = us_allow(path, other, what, "\n", &other_reason);

		must(r == 0 || (r == US_REFUSED && reason.text[0]));
		/* What can be named at all can be where all can, or where a line has it. */
		must(never != 0 || r == 0);
		must(us_allow(path, geteuid(), what, values[what], NULL) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("config", MFD_CLOEXEC);
		must(fd >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	must(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	check_allow(path);
	check_pools(path);
	return 0;
}
