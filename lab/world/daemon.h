/* SPDX-License-Identifier: BSD-3-Clause */
/* understudyd on a host: started as its service manager would start it. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/* The name of the daemon's process in its record: us_lab_host_record(). */
#define US_LAB_RECORD_DAEMON "understudyd"

/* Starts the daemon of @host, in place of one that runs, and returns once it is ready. */
int us_lab_daemon_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason);

/* The value of `migrate --to` that leads to the daemon of @host. */
void us_lab_daemon_destination(const struct us_lab *lab, enum us_lab_host host, char target[210]);

/* The file that holds the name of the crash point at which understudyd-crash ends itself. */
const char *us_lab_daemon_crash_path(const struct us_lab *lab, enum us_lab_host host,
				     char path[US_LAB_PATH]);
