/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes Varlink messages. Pure: no socket, no state. https://varlink.org/Method-Call
 *
 * A message is one JSON object. This codec checks the form of a message only; api/interface.h
 * checks the parameters of a method. Members of the message that Varlink does not define are
 * ignored, so that Varlink can be extended.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct us_wire_call {
	json_t *message;	  /* owns all other members */
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

/* Both return 0, -EBADMSG if @text is no such message, or -ENOMEM. */
int us_wire_read_call(struct us_wire_call *ret_call, const char *text, size_t length);
int us_wire_read_answer(struct us_wire_answer *ret_answer, const char *text, size_t length);

/* Safe to call twice, and on a zeroed struct. */
void us_wire_call_deinit(struct us_wire_call *call);
void us_wire_answer_deinit(struct us_wire_answer *answer);

/*
 * Both return the text of a message, which the caller frees; NULL without memory. @parameters is
 * stolen (NULL: {}). @error is NULL for a reply.
 */
char *us_wire_write_call(const char *method, json_t *parameters, bool more);
char *us_wire_write_answer(const char *error, json_t *parameters, bool continues);

/*
 * A JSON string of any bytes; bytes that are not UTF-8 become '?'. jansson refuses such bytes, and
 * the text of a VMM or a kernel, or a line that was cut, may have them.
 */
json_t *us_wire_string(const char *text);
