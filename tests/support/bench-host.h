/* SPDX-License-Identifier: BSD-3-Clause */
/* The hosts of the benchmark: bridges with two ports for each pair, in a network namespace. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

struct bench_host {
	int (*taps)[2]; /* the guests' side: of the primary, of the standby */
	unsigned count;
	unsigned vms; /* of the first host; the ports of the others follow */
};

/*
 * Before anything is made: enters a network namespace of its own, and one of mounts in which /run
 * is empty and in memory, as on a host. Both end with the process and its children. Returns a loop
 * that ends the process at SIGINT and SIGTERM; allows as many open files as all VMs need.
 */
sd_event *bench_begin(void);

/*
 * Makes ports for @vms on one host, and for the first @movers of them on another one as well.
 */
int bench_host_open(struct bench_host *host, unsigned vms, unsigned movers);
void bench_host_close(struct bench_host *host);

/* What came through the primary's @port since the last time: its guest @answers, or does not. */
void bench_host_answer(const struct bench_host *host, unsigned port, bool answers);

/* The switch sends to this guest's primary, as it would after a restart of the daemon. */
void bench_host_steer(unsigned vm);
