/* SPDX-License-Identifier: BSD-3-Clause */
/* The hosts of scripted VMs: bridges with two ports for each pair, in a network namespace. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

struct bench_host {
	int (*taps)[2]; /* the guests' ends: of the primary, of the standby */
	unsigned count;
	unsigned vms; /* of the first host; the ports of the others follow */
};

/*
 * Call this first. Enters a new network namespace and a new mount namespace, in which /run is an
 * empty tmpfs. Both end with this process and its children. Raises the limit of open files. Returns
 * an event loop that exits at SIGINT and SIGTERM.
 */
sd_event *bench_begin(void);

/* Makes ports for @vms on one host, and for the first @movers of them on a second one as well. */
int bench_host_open(struct bench_host *host, unsigned vms, unsigned movers);
void bench_host_close(struct bench_host *host);

/* Reads the probes that came through the primary's @port; the guest answers them if @answers. */
void bench_host_answer(const struct bench_host *host, unsigned port, bool answers);

/* Points the switch to this guest's primary, as the daemon left it before a restart. */
void bench_host_steer(unsigned vm);
