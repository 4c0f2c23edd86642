/* SPDX-License-Identifier: BSD-3-Clause */
/* The host of the benchmark: a bridge with two ports for each pair, in a network namespace. */
#pragma once

struct bench_host {
	int *primaries, *standbys; /* the guests' side of the taps */
	unsigned count;
};

/* Enters a new network namespace and makes the bridge; the namespace ends with the process. */
int bench_host_open(struct bench_host *host, unsigned count);
void bench_host_close(struct bench_host *host);

/* The guest of VM @index answers what it was sent through its primary since the last time. */
void bench_host_answer(const struct bench_host *host, unsigned index);

/* The switch sends to this guest's primary, as it would after a restart of the daemon. */
void bench_host_steer(unsigned index);
