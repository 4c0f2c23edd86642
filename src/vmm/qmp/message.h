/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of QMP: reads its kind and its parts, and makes a command. Pure. */
#pragma once

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

enum us_qmp_kind {
	US_QMP_INVALID, /* not JSON, no object, or none of the below */
	US_QMP_GREETING,
	US_QMP_EVENT,
	US_QMP_RETURN,
	US_QMP_ERROR,
};

struct us_qmp_message {
	enum us_qmp_kind kind;
	json_t *root; /* owned; the pointers below point into it */

	bool has_id; /* RETURN, ERROR: an integer id */
	int64_t id;
	const json_t *value;	      /* RETURN: the value. EVENT: its data, or NULL */
	const char *class, *words;    /* ERROR */
	const char *name;	      /* EVENT */
	uint64_t sent_usec;	      /* EVENT: CLOCK_REALTIME; 0 if unknown */
	unsigned major, minor, micro; /* GREETING */
};

/* Reads a line. Anything that is no QMP message becomes US_QMP_INVALID. */
void us_qmp_message_init(struct us_qmp_message *message, const char *text, size_t length);
void us_qmp_message_deinit(struct us_qmp_message *message);

/* The outcome of a command; valid during the call. */
struct us_qmp_answer {
	int r;				/* 0, US_REFUSED, -ETIMEDOUT, -ECONNRESET */
	const struct us_reason *reason; /* has the peer's words; NULL if @r is 0 */
	const char *words;		/* US_REFUSED: the peer's words alone */
	bool not_found;			/* US_REFUSED: the error class is DeviceNotFound */
	const json_t *value;		/* the returned value; NULL unless @r is 0 */
};
typedef void (*us_qmp_answer_fn)(void *userdata, const struct us_qmp_answer *answer);

/*
 * Makes a command, {"execute": @command, "arguments": …, "id": @id}, as text that the caller frees.
 * @format and @arguments are as for json_vpack_ex(); @format is NULL for no arguments. Returns 0,
 * -EINVAL if the arguments are no valid JSON, or -ENOMEM.
 */
int us_qmp_message_make(char **ret_text, int64_t id, const char *command, const char *format,
			va_list arguments);

/* The first object in @array whose member @name is the string @value; NULL if there is none. */
const json_t *us_json_find(const json_t *array, const char *name, const char *value);

/*
 * A number of the peer's as an integer; 0 if it is no number, is negative or does not fit. (QMP has
 * numbers beyond INT64_MAX, which jansson reads as reals.)
 */
uint64_t us_json_uint64(const json_t *value);
