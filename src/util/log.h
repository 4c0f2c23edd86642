/* SPDX-License-Identifier: BSD-3-Clause */
/* The log of a daemon: one line per call to standard error, which systemd passes to the journal. */
#pragma once

#include <syslog.h>

/*
 * Writes one line with the syslog(3) priority @priority. The line has at most 1,023 bytes, and
 * is made printable (util/printable.h), because it may quote a peer.
 */
void us_log(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
