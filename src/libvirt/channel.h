/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The QMP channel of one domain: to the daemon it looks like a monitor socket of QEMU's.
 *
 * What is said on it is in serve.h. This file owns the channels, and what each knows of its domain:
 * devices that libvirt has not forgotten yet, and a migration.
 */
#pragma once

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "util/error.h"

struct us_lv_channel;

/* The functions of struct us_lv_host_handler. A domain without a channel is ignored. */
void us_lv_channel_event(const char *domain, const char *name, long long seconds, unsigned micros,
			 const char *data);
void us_lv_channel_removed(const char *domain, const char *alias);
/* Ends the channel, after a migration has ended. */
void us_lv_channel_stopped(const char *domain);
void us_lv_channel_end_all(void);

/* ---- For the channel's commands ---- */

/* The domain. Borrowed. */
virDomainPtr us_lv_channel_domain(struct us_lv_channel *channel);

/* Answers the command @id: with @value, which it takes, or with @reason if @value is NULL. */
void us_lv_channel_answer(struct us_lv_channel *channel, json_int_t id, json_t *value,
			  const struct us_reason *reason);

/* Waits until libvirt, too, has forgotten the devices that QEMU removed; at most a few seconds. */
void us_lv_channel_wait_removed(struct us_lv_channel *channel);

/*
 * A migration by libvirt begins; false: one is under way. Until it ends, the end of QEMU's own
 * migration is not passed on, because libvirt can still undo it.
 */
bool us_lv_channel_begin_migration(struct us_lv_channel *channel);
bool us_lv_channel_is_migrating(struct us_lv_channel *channel);
/* The daemon has finished with a guest that has left. */
void us_lv_channel_leave(struct us_lv_channel *channel);
/* It has ended: sends the event MIGRATION with this status. */
void us_lv_channel_end_migration(struct us_lv_channel *channel, const char *status,
				 const struct us_reason *reason);

/* Runs @run(@argument) in a thread of its own; the channel stays until it returns. */
int us_lv_channel_run(struct us_lv_channel *channel, void (*run)(void *argument), void *argument);
