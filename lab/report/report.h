/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run leaves: for a person on the terminal, for a program as JSON. */
#pragma once

#include "lab/scenario/run.h"

/* Counts loss per phase, holds phases to their expectation (which may add failures), prints the
 * timeline, the losses and the verdict, and returns the same as JSON, the caller's. */
json_t *us_report_new(struct us_run *run);

/* report-transition.c: the same for transitions, with delays and TCP; prints them. */
json_t *us_report_transitions(struct us_run *run);
/* {"sent", "lost", "duplicated", "reordered", "longest_gap_ms"}, the caller's. */
json_t *us_report_count_json(const struct us_lab_probe_count *count);
