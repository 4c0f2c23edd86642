/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prober: numbered UDP frames to the guest and from it, and a record of each. A thread in the
 * client's namespace sends and records. Frames are counted afterwards, for any interval of time.
 *
 * Counts of an interval, to the guest:
 *
 *   sent         frames that the client sent while the guest's beacon was alive: between the first
 *                and the last frame that one boot of the guest reported. Frames after the last one
 *                count as well if no later boot reported any.
 *   lost         sent frames that neither a report nor the guest's log names.
 *   duplicated   frames that arrived again.
 *   reordered    frames that arrived after one with a higher number.
 *   longest gap  the longest time between the sending of two frames that arrived, with only lost
 *                frames between them. Late frames do not matter.
 *
 * From the guest:
 *
 *   sent         frames that arrived, and those that were lost.
 *   lost         numbers missing below the highest that arrived from the same boot. Their times of
 *                sending are interpolated.
 *   longest gap  the longest time between two arrivals, because of lost or of late frames.
 *
 * A gap belongs to the interval in which it began. A boot is not a gap.
 *
 *   pause        the longest time between two arrivals, in either direction. From the guest it is
 *                the longest gap.
 *   delay        the one-way delay: of frames that were sent to the guest in the interval, or
 *                arrived from it. Compare it with the lowest median of a run's steady phases, which
 *                cancels constant errors (probe-delay.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct us_lab;
struct us_lab_probe;

/* The delay of a frame that was lost, or of which the guest's clock is not known. */
#define US_LAB_PROBE_NO_DELAY INT32_MIN
/* The number of VM stops that us_lab_probe_settle() takes into account. */
#define US_LAB_PROBE_PAUSES_MAX 200

struct us_lab_probe_count {
	uint64_t sent, lost, duplicated, reordered;
	uint64_t longest_gap_usec;
};

struct us_lab_probe_delay {
	uint64_t frames;
	int32_t p50_usec, p99_usec, worst_usec;
};

/* Starts to send lab->options.rate frames per second to the guest's NIC @nic. The guest sends as
 * many, but at most 1,000. Returns 0 or -errno. */
int us_lab_probe_start(struct us_lab_probe **ret_probe, const struct us_lab *lab, unsigned nic);
/* Stops sending, waits up to 2 s for frames on their way, and fetches the guest's log. A second
 * call is allowed. */
void us_lab_probe_stop(struct us_lab_probe *probe);
void us_lab_probe_free(struct us_lab_probe *probe);

/* The number of arrivals from the guest so far. Allowed at any time. */
uint64_t us_lab_probe_heard(const struct us_lab_probe *probe);
/* The newest frame that the guest has reported. It grows while both directions work. Allowed at any
 * time. */
uint64_t us_lab_probe_reached(const struct us_lab_probe *probe);

/* Count the interval [from, until) of CLOCK_MONOTONIC. After us_lab_probe_stop() only. */
void us_lab_probe_count_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_count *ret_count);
void us_lab_probe_count_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_count *ret_count);

/* Computes the delays, after us_lab_probe_stop(). Without this call no frame has a delay.
 * @pauses_usec (CLOCK_MONOTONIC, ascending): when the VM, and with it the guest's clock, stopped.
 */
void us_lab_probe_settle(struct us_lab_probe *probe, const uint64_t *pauses_usec,
			 unsigned pauses_count);
/* Intervals as above. ret_delay->frames is 0 if no frame has a delay. */
void us_lab_probe_delay_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_delay *ret_delay);
void us_lab_probe_delay_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_delay *ret_delay);

/* The longest pause at the guest that began in the interval. False if it is unknown, because no
 * frame has a delay. */
bool us_lab_probe_pause_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, uint64_t *ret_pause_usec);

/* What became of a frame to the guest. After us_lab_probe_stop(). */
struct us_lab_probe_fate {
	uint64_t sent_usec; /* CLOCK_MONOTONIC */
	int32_t delay_usec; /* or US_LAB_PROBE_NO_DELAY */
	bool has_arrived;
	bool is_counted; /* the guest's beacon was alive when the frame was sent */
};
/* The number of frames sent to the guest; they are numbered from 1. */
uint64_t us_lab_probe_sent(const struct us_lab_probe *probe);
struct us_lab_probe_fate us_lab_probe_fate(const struct us_lab_probe *probe, uint64_t seq);

/* A frame that arrived from the guest. */
struct us_lab_probe_arrival {
	uint64_t time_usec;  /* CLOCK_MONOTONIC */
	uint64_t guest_usec; /* when it was sent, by the guest's clock */
	int32_t delay_usec;  /* or US_LAB_PROBE_NO_DELAY */
	uint32_t seq;
	uint32_t session; /* index of the guest's boot */
};
/* All of them, us_lab_probe_heard(), in the order of their arrival. Valid until the probe is freed.
 */
const struct us_lab_probe_arrival *us_lab_probe_arrivals(const struct us_lab_probe *probe);

/* A socket of @type in the client's namespace, connected to the beacon of NIC @nic, or -errno. */
int us_lab_probe_connect(const struct us_lab *lab, unsigned nic, int type);
