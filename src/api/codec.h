/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Varlink messages: text in, a call or an answer out, and back. Pure: no socket, no state.
 * https://varlink.org/Method-Call
 *
 * A message is one JSON object. What a peer sends is checked here for its form only; whether
 * the parameters fit the method is for api/interface.h. Members of the envelope that Varlink
 * does not define are ignored, so that it may grow.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct us_wire_call {
	json_t *message;	  /* owns all below */
	const char *method;	  /* "org.understudy.Control.ListVms" */
	const json_t *parameters; /* an object, never NULL */
	bool more, oneway, upgrade;
};

struct us_wire_answer {
	json_t *message;
	const char *error; /* NULL: a reply */
	const json_t *parameters;
	bool continues;
};

/* Both return 0, -EBADMSG for anything that is not such a message, or -ENOMEM. */
int us_wire_read_call(struct us_wire_call *ret_call, const char *text, size_t length);
int us_wire_read_answer(struct us_wire_answer *ret_answer, const char *text, size_t length);

/* Safe to call twice, and on a zeroed struct. */
void us_wire_call_deinit(struct us_wire_call *call);
void us_wire_answer_deinit(struct us_wire_answer *answer);

/*
 * The text of a message, the caller's to free(); NULL when out of memory. @parameters is stolen
 * (NULL: {}); @error is NULL for a reply.
 */
char *us_wire_write_call(const char *method, json_t *parameters, bool more);
char *us_wire_write_answer(const char *error, json_t *parameters, bool continues);

/*
 * A JSON string of any bytes: jansson refuses what is not UTF-8, and the words of a VMM or a
 * kernel, or a line cut at its limit, need not be. Bytes that do not fit become '?'.
 */
json_t *us_wire_string(const char *text);
