/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "util/file.h"

static int write_all(const char *path, const struct iovec *parts, size_t count)
{
	FILE *file = fopen(path, "we");
	int r = 0;

	if (!file)
		return -errno;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (fwrite(parts[i].iov_base, 1, parts[i].iov_len, file) < parts[i].iov_len)
			r = -errno;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	return r;
}

int us_file_replace(const char *path, const struct iovec *parts, size_t count)
{
	char fresh[PATH_MAX];
	int r;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return -ENAMETOOLONG;
	r = write_all(fresh, parts, count);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(fresh);
	return r;
}
