/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of QMP taken apart: what kind of message it is, and its parts. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum us_qmp_kind {
	US_QMP_INVALID, /* not JSON, no object, or none of the below */
	US_QMP_GREETING,
	US_QMP_EVENT,
	US_QMP_RETURN,
	US_QMP_ERROR,
};

struct us_qmp_message {
	enum us_qmp_kind kind;
	json_t *root; /* owned: us_qmp_message_deinit(); what follows lies within */

	bool has_id; /* RETURN, ERROR: an integer id */
	int64_t id;
	const json_t *value;	      /* RETURN: what was returned. EVENT: data, or NULL */
	const char *class, *words;    /* ERROR */
	const char *name;	      /* EVENT */
	uint64_t sent_usec;	      /* EVENT: CLOCK_REALTIME; 0 if it is not told */
	unsigned major, minor, micro; /* GREETING */
};

/* Takes a line apart; what it cannot make sense of becomes US_QMP_INVALID. */
void us_qmp_message_init(struct us_qmp_message *message, const char *text, size_t length);
void us_qmp_message_deinit(struct us_qmp_message *message);

/*
 * A number of the peer's as an integer: 0 for what is none, is negative or does not fit.
 * (Numbers beyond INT64_MAX are legal in QMP, and are read as reals.)
 */
uint64_t us_json_uint64(const json_t *value);
