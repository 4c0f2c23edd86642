/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The conversation on a channel. A thread reads one command at a time and answers it. Commands of
 * QEMU's go through libvirt's monitor passthrough; others (commands.h) are for libvirt. Instead of
 * a greeting, a channel whose domain cannot be reached sends one error and ends.
 *
 * An answer is newer than every event that the channel sent before the command came: if an event
 * crosses a query, the query is repeated. libvirtd sends answers and events from different threads.
 */
#pragma once

#include "libvirt/channel.h"

/* Carries out @command if it is none of QEMU's, and answers it. False: it is one of QEMU's. */
typedef bool (*us_lv_command_fn)(struct us_lv_channel *channel, const char *command,
				 const json_t *arguments, json_int_t id);
/* Sets what carries out those commands, before the first channel is opened. */
void us_lv_serve_commands(us_lv_command_fn run);

/* Opens the channel of @domain on @fd, which it takes, and begins the conversation. */
void us_lv_serve_domain(const char *domain, int fd);
