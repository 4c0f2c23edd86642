/* SPDX-License-Identifier: BSD-3-Clause */
/* One short thread for each descriptor, without shared data: there are few, at transitions. */
#include <pthread.h>
#include <stdint.h>

#include "net/frame/async-close.h"
#include "util/cleanup.h"

static void *close_thread(void *userdata)
{
	us_close((int)(intptr_t)userdata);
	return NULL;
}

int us_close_async(int fd)
{
	pthread_t thread;

	if (fd < 0)
		return -1;
	if (pthread_create(&thread, NULL, close_thread, (void *)(intptr_t)fd) != 0)
		return us_close(fd);
	pthread_detach(thread);
	return -1;
}
