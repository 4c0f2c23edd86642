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
	pthread_attr_t attributes;
	pthread_t thread;

	if (fd < 0)
		return -1;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, close_thread, (void *)(intptr_t)fd) != 0)
		us_close(fd);
	pthread_attr_destroy(&attributes);
	return -1;
}
