/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP during a transition: a bulk transfer to the guest, paced at US_LAB_TCP_BYTES_PER_SEC so that
 * it does not disturb the probe, and a connection that carries requests and responses, one at a
 * time.
 *
 * The counts of an interval:
 *
 *   bytes          acknowledged by the guest.
 *   lowest         the throughput in the worst half second that began in the interval, in percent
 *                  of the pace.
 *   stall          the longest time without an acknowledgement of new bytes.
 *   retransmitted  segments, of both connections (TCP_INFO).
 *   responses      received, and the time of the slowest.
 */
#pragma once

#include <stdint.h>

#define US_LAB_TCP_BYTES_PER_SEC (2u << 20)

struct us_lab;
struct us_lab_tcp;

struct us_lab_tcp_count {
	uint64_t bytes, retransmitted, responses;
	uint64_t stall_usec, slowest_response_usec;
	unsigned lowest_percent;
};

/* Connects to the beacon of the guest's first NIC and starts. Returns 0 or -errno. */
int us_lab_tcp_start(struct us_lab_tcp **ret_tcp, const struct us_lab *lab);
/* NULL and a second call are allowed. */
void us_lab_tcp_stop(struct us_lab_tcp *tcp);
void us_lab_tcp_free(struct us_lab_tcp *tcp);

/* Counts [from, until) of CLOCK_MONOTONIC. After us_lab_tcp_stop() only. */
void us_lab_tcp_count(const struct us_lab_tcp *tcp, uint64_t from_usec, uint64_t until_usec,
		      struct us_lab_tcp_count *ret_count);
