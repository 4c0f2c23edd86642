/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket between the daemon and the helper: lines of JSON.
 *
 * The daemon sends {"open": DOMAIN} with one end of a socket pair, the domain's channel. The helper
 * sends a report of each domain when it connects to libvirtd and when something changes:
 * {"domain", "state": "running", "incoming" or "stopped", "pairs": its declaration, "problem": why
 * the declaration is not valid}.
 */
#pragma once

#include <jansson.h>

/* Sends a report; takes @report. Callable from any thread. */
void us_lv_control_send(json_t *report);

/*
 * Reads the daemon's lines until it closes the socket. Calls @open, which takes @fd, for each
 * domain whose channel is to be opened.
 */
void us_lv_control_run(void (*open)(const char *domain, int fd));
