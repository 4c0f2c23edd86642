/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads values of a report. */
#pragma once

#include <jansson.h>

/* The string @key, or "". Valid as long as @json. */
const char *us_report_text(const json_t *json, const char *key);
/* The number @key, or 0. */
double us_report_real(const json_t *json, const char *key);
