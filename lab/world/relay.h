/* SPDX-License-Identifier: BSD-3-Clause */
/* A Unix socket whose connections are relayed to another Unix socket until the relay is cut. */
#pragma once

#include <systemd/sd-event.h>

struct us_lab_relay;

/* Listens on @path and relays to @target. Returns 0 or -errno. */
int us_lab_relay_new(struct us_lab_relay **ret_relay, sd_event *loop, const char *path,
		     const char *target);
/* Ends all connections and accepts no more. NULL is allowed here and below. */
void us_lab_relay_cut(struct us_lab_relay *relay);
void us_lab_relay_free(struct us_lab_relay *relay);
