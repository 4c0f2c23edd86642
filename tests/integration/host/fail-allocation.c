/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded, it lets one allocation of a process fail: that which takes the countdown in the file
 * named by FAIL_ALLOCATION from 1 to 0. There is none while it is 0. All are counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
	uint64_t countdown, count;
};

/* Until the file is there: counted, never failing. */
static struct shared start;
static struct shared *shared = &start;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAIL_ALLOCATION");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped != MAP_FAILED)
		shared = mapped;
}

static int fails(void)
{
	__atomic_add_fetch(&shared->count, 1, __ATOMIC_RELAXED);
	if (!shared->countdown || __atomic_sub_fetch(&shared->countdown, 1, __ATOMIC_RELAXED))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}
