/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The prober: one-way numbered UDP frames, to the guest and from it, and what became of them. A
 * thread in the client's namespace sends and records while it runs; counting is done afterwards,
 * for any interval of time.
 *
 * The counts, for an interval and one direction:
 *
 *   sent        to the guest: frames the client sent in the interval while the guest's beacon was
 *               alive, which means between the first and the last frame that this boot of the guest
 *               reported; frames after the last one count as well if no later boot reported any.
 *               from the guest: frames that arrived in the interval, and those lost in it.
 *   lost        frames sent that never arrived. To the guest: that no report ever named (a report
 *               names the newest 8,192), nor the guest's log, read at the end. From the guest:
 * numbers missing below the highest that arrived from the same boot; when such a one was sent is
 * interpolated. duplicated  frames that arrived again. reordered   frames that arrived after one
 * with a higher number. longest gap to the guest: the longest time between the sending of two
 * frames that arrived, with only lost ones between them: what a sender lost, whatever was late.
 *               from the guest: the longest time between two arrivals, late or lost.
 *               A gap belongs to the interval in which it began. A boot is not a gap.
 *   pause       the longest time between two arrivals, whatever was lost or late. It belongs to the
 *               interval in which it began. From the guest that is the longest gap.
 *   delay       the one-way delay of what arrived: of frames sent in the interval to the guest, or
 *               that arrived from it. See probe-delay.c for the clock. It is read as the excess
 *               over the least median of a run's steady phases, so what is constant in it cancels.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct us_lab;
struct us_lab_probe;

/* The delay of a frame that was lost, or of which the guest's clock is not known. */
#define US_LAB_PROBE_NO_DELAY INT32_MIN
/* So many stops of the VM us_lab_probe_settle() takes into account. */
#define US_LAB_PROBE_PAUSES_MAX 200

struct us_lab_probe_count {
	uint64_t sent, lost, duplicated, reordered;
	uint64_t longest_gap_usec;
};

struct us_lab_probe_delay {
	uint64_t frames;
	int32_t p50_usec, p99_usec, worst_usec;
};

/* Starts to probe the guest's NIC number @nic, lab->options.rate frames a second, and has the guest
 * send as many up to 1,000. */
int us_lab_probe_start(struct us_lab_probe **ret_probe, const struct us_lab *lab, unsigned nic);
/* Sends no more; waits a moment for what is on its way, asks the guest for its log. Twice is
 * harmless. */
void us_lab_probe_stop(struct us_lab_probe *probe);
void us_lab_probe_free(struct us_lab_probe *probe);

/* Arrivals from the guest so far: whether it is alive and heard. Any time. */
uint64_t us_lab_probe_heard(const struct us_lab_probe *probe);
/* The newest frame that the guest said it has got: it grows while both directions work. Any time.
 */
uint64_t us_lab_probe_reached(const struct us_lab_probe *probe);

/* Count what was sent in [from, until) of CLOCK_MONOTONIC. After us_lab_probe_stop() only. */
void us_lab_probe_count_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_count *ret_count);
void us_lab_probe_count_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_count *ret_count);

/* Works out delays; @pauses_usec (CLOCK_MONOTONIC, ascending) is when the VM, and with it the
 * guest's clock, was stopped. After us_lab_probe_stop(). Without it no frame has a delay. */
void us_lab_probe_settle(struct us_lab_probe *probe, const uint64_t *pauses_usec,
			 unsigned pauses_count);
/* Intervals as above; @frames 0 when none has a delay. */
void us_lab_probe_delay_to_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				 uint64_t until_usec, struct us_lab_probe_delay *ret_delay);
void us_lab_probe_delay_from_guest(const struct us_lab_probe *probe, uint64_t from_usec,
				   uint64_t until_usec, struct us_lab_probe_delay *ret_delay);

/* The longest time in which no frame arrived at the guest, whether frames were lost or late, that
 * began in the interval. False if no frame has a delay: the pause is not known. */
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
