/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cleanup attributes: the declaration of a local variable shows that it owns something.
 *
 *     US_CLEANUP(us_closep) int fd = -1;
 *     US_CLEANUP(us_freep) char *text = NULL;
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define US_CLEANUP(function) __attribute__((cleanup(function)))

/* Defines function##p() for US_CLEANUP: frees the object of a pointer variable. */
#define US_DEFINE_CLEANUP(type, function)                                                          \
	static inline void function##p(type *pointer)                                              \
	{                                                                                          \
		if (*pointer)                                                                      \
			function(*pointer);                                                        \
	}

/* Moves ownership out of a variable: the variable becomes NULL, the value is returned. */
#define US_STEAL(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) us_stolen = (pointer);                                         \
		(pointer) = NULL;                                                                  \
		us_stolen;                                                                         \
	})

static inline void us_freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes @fd unless it is -1; returns -1, so that `fd = us_close(fd)` cannot close twice. */
static inline int us_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

static inline void us_closep(int *fd)
{
	us_close(*fd);
}

#define US_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define US_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
