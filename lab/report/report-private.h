/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of a report. Every JSON value is the caller's. */
#pragma once

#include "lab/scenario/run.h"

/* {"sent", "lost", "duplicated", "reordered", "longest_gap_ms"} */
json_t *us_report_count_json(const struct us_lab_probe_count *count);
/* Counts, delays and TCP for each transition; prints them. */
json_t *us_report_transitions(struct us_run *run);
/* What became of every frame. Times are tenths of a millisecond since the run's begin, delays
 * hundredths of a millisecond. */
json_t *us_report_frames(const struct us_run *run);
