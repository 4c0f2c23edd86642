/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "support/reserved-vf.h"
#include "support/sysfs-tree.h"
#include "util/cleanup.h"

const char *reserved_vf_records(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/reserved", sysfs_tree_root);
	return path;
}

struct us_reserve_request reserved_vf_request(const char *pair)
{
	static const struct us_pool pool = { .name = "fast",
					     .count = 1,
					     .sources = { { US_POOL_PF, "eth7" } } };

	return (struct us_reserve_request){ .sysfs = sysfs_tree_path(),
					    .directory = reserved_vf_records(),
					    .owner = "/run/one",
					    .pair = pair,
					    .pool = &pool };
}

int reserved_vf_reserve(const struct us_reserve_request *request, struct us_reserved *ret_reserved,
			struct us_reason *reason)
{
	int fd = -1, r = us_reserve(request, ret_reserved, &fd, reason);

	assert_int_equal(r == 0, fd >= 0);
	us_close(fd);
	return r;
}
