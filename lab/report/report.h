/* SPDX-License-Identifier: BSD-3-Clause */
/* The report of a run: for a person on the terminal, for a program as JSON. */
#pragma once

#include "lab/scenario/run.h"

/*
 * Counts the frames of each phase, and records a failure where they break the phase's expectation.
 * Prints the timeline, the counts and the verdict. Returns the same as JSON, the caller's; with
 * @has_frames it contains what became of every frame, for the HTML.
 */
json_t *us_report_new(struct us_run *run, bool has_frames);
