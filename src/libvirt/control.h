/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket between the daemon and the helper: lines of JSON.
 *
 * The daemon sends {"open": DOMAIN} with one end of a socket pair, the domain's channel; and
 * requests, each with a number "id", that change what a domain declares:
 * {"declare": {"domain", "pair": its attributes}}, {"undeclare": {"name", "domain"?}} and
 * {"assign": {"name", "domain"?, "primary"?}}. The helper answers {"answer": ID}, if it refuses
 * with "problem" and "next_at" of a struct us_reason.
 *
 * The helper sends a report of each domain when it connects to libvirtd and when something changes:
 * {"domain", "state": "running", "incoming" or "stopped", "pairs": its declaration, "problem": why
 * the declaration is not valid}. And one of libvirtd itself: {"libvirt": its version, "" if it is
 * not connected}, then with "problem" and "next_at".
 */
#pragma once

#include <jansson.h>

struct us_lv_control_handler {
	/* The channel of @domain is to be opened on @fd, which the function takes. */
	void (*open)(const char *domain, int fd);
	/* Any other line of the daemon, which the function takes. */
	void (*request)(json_t *message);
};

/* Sends a report or an answer; takes @message. Callable from any thread. */
void us_lv_control_send(json_t *message);

/* Reads the daemon's lines until it closes the socket. */
void us_lv_control_run(const struct us_lv_control_handler *handler);
