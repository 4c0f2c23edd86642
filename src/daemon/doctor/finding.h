/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings: each has a level, a subject, a problem, and the next step. In memory, in order. */
#pragma once

#include <jansson.h>

#include "util/error.h"
#include "util/list.h"
#include "util/name.h"

enum us_finding_level {
	US_FINDING_OK,
	US_FINDING_WARNING, /* it works, but not as well as it could */
	US_FINDING_ERROR,
	US_FINDING_N
};

struct us_finding {
	struct us_list link;
	enum us_finding_level level;
	char subject[US_NAME_MAX]; /* "host", or the name of a VM or a pair */
	char text[sizeof(struct us_reason) + 200];
	char next[300]; /* the next step; "": none */
};

/* Appends a finding to @findings, a list. @next: "" for none. Without memory it is lost. */
void us_finding_add(struct us_list *findings, enum us_finding_level level, const char *subject,
		    const char *next, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The same with the problem and the next step of @reason; @r < 0: with the words for that errno. */
void us_finding_add_reason(struct us_list *findings, enum us_finding_level level,
			   const char *subject, int r, const struct us_reason *reason);

/* Findings of org.understudy.Control: an array, the caller's. Frees @findings. */
json_t *us_findings_take_json(struct us_list *findings);
