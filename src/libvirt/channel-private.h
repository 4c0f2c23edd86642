/* SPDX-License-Identifier: BSD-3-Clause */
/* A channel, for channel.c, which owns it, and serve.c, which talks on it. */
#pragma once

#include <pthread.h>
#include <stdio.h>

#include "libvirt/channel.h"
#include "util/list.h"

struct us_lv_channel_state {
	unsigned events;   /* that were sent */
	bool is_incoming;  /* libvirt waits for the guest, and refuses commands meanwhile */
	bool is_migrating; /* by understudy-migrate */
	bool has_left;	   /* the guest: the channel stays until understudy-leave */
	bool must_end;	   /* once the migration has ended */
};

struct us_lv_channel {
	struct us_list link;
	char *name;	     /* of the domain */
	virDomainPtr domain; /* since the greeting */
	FILE *input;
	int fd;
	unsigned references; /* protected by the lock of all channels */

	/* Protected by the lock */
	struct us_lv_channel_state state;
	bool is_closed;		 /* sending failed: the daemon has given it up */
	json_t *failure;	 /* query-migrate of the last one, if it failed before QEMU's own */
	struct us_list removals; /* devices that QEMU has removed and libvirt still knows */
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* Makes the channel of @domain on @fd, which it takes; NULL without memory. */
struct us_lv_channel *us_lv_channel_new(const char *domain, int fd);
/* Takes the reference of us_lv_channel_new(), or of a job. */
void us_lv_channel_unref(struct us_lv_channel *channel);
/* The state at this moment. */
struct us_lv_channel_state us_lv_channel_state(struct us_lv_channel *channel);
/* Sends a message, which it takes. A daemon that does not read loses the channel. */
void us_lv_channel_send(struct us_lv_channel *channel, json_t *message);
/* Starts a thread that nobody waits for. Returns 0 or -errno. */
int us_lv_start_thread(void *(*run)(void *argument), void *argument);
/* The message that refuses: QMP's error of this class, without an id. NULL without memory. */
json_t *us_lv_error_json(const char *class, const struct us_reason *reason);
