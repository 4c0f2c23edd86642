/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"

static void advance(struct iovec **parts, size_t *count, size_t length)
{
	while (*count > 0 && length >= (*parts)->iov_len) {
		length -= (*parts)->iov_len;
		(*parts)++;
		(*count)--;
	}
	if (*count > 0) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + length;
		(*parts)->iov_len -= length;
	}
}

static int write_all(const char *path, struct iovec *parts, size_t count)
{
	US_CLEANUP(us_closep)
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return -errno;
	while (count > 0) {
		ssize_t length = writev(fd, parts, count < IOV_MAX ? count : IOV_MAX);

		if (length < 0 && errno != EINTR)
			return -errno;
		if (length >= 0)
			advance(&parts, &count, length);
	}
	return 0;
}

int us_file_replace(const char *path, struct iovec *parts, size_t count)
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
