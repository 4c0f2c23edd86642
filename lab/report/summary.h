/* SPDX-License-Identifier: BSD-3-Clause */
/* The demo's result as text: its runs side by side, for a reader who knows only QEMU. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Prints a description of the runs, and a table. @reports (us_report_new()): of one scenario, one
 * for each manager that was run. No numbers of an invalid run are printed. */
void us_summary_print(FILE *out, const json_t *reports);

/* "12,345" */
const char *us_summary_count(json_int_t count, char text[32]);
/* "79 ms", "1.2 s"; "unknown" if @ms is no number. */
const char *us_summary_duration(const json_t *ms, char text[32]);
/* The version of the report's QEMU: "10.0.13". */
const char *us_summary_qemu(const json_t *report, char text[32]);
/* The card that is passed through: "an emulated vmxnet3". */
const char *us_summary_card(const json_t *report, char text[64]);
/* The report's transition @name, or NULL. */
const json_t *us_summary_transition(const json_t *report, const char *name);
/* The transition's count @key ("lost" …) for @direction ("to_guest", "from_guest"). */
json_int_t us_summary_number(const json_t *transition, const char *direction, const char *key);
