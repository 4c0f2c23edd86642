/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "api/codec.h"
#include "util/cleanup.h"
#include "util/utf8.h"

static int load_object(json_t **ret_object, const char *text, size_t length)
{
	json_error_t error;
	json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

	if (!object)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	*ret_object = object;
	return 0;
}

/* An absent or null flag is false. */
static int read_flag(const json_t *object, const char *name, bool *ret_flag)
{
	const json_t *flag = json_object_get(object, name);

	if (flag && !json_is_boolean(flag) && !json_is_null(flag))
		return -EBADMSG;
	*ret_flag = json_is_true(flag);
	return 0;
}

/* Absent or null parameters become {}, so that no caller has to check. */
static int read_parameters(json_t *object, const json_t **ret_parameters)
{
	json_t *parameters = json_object_get(object, "parameters");

	if (!parameters || json_is_null(parameters)) {
		parameters = json_object();
		if (json_object_set_new(object, "parameters", parameters) < 0)
			return -ENOMEM;
	}
	if (!json_is_object(parameters))
		return -EBADMSG;
	*ret_parameters = parameters;
	return 0;
}

int us_wire_read_call(struct us_wire_call *ret_call, const char *text, size_t length)
{
	US_CLEANUP(json_decrefp) json_t *message = NULL;
	struct us_wire_call call = { 0 };
	int r = load_object(&message, text, length);

	if (r < 0)
		return r;
	call.method = json_string_value(json_object_get(message, "method"));
	if (!call.method)
		return -EBADMSG;
	r = read_parameters(message, &call.parameters);
	if (r == 0)
		r = read_flag(message, "more", &call.more);
	if (r == 0)
		r = read_flag(message, "oneway", &call.oneway);
	if (r == 0)
		r = read_flag(message, "upgrade", &call.upgrade);
	if (r < 0)
		return r;
	call.message = US_STEAL(message);
	*ret_call = call;
	return 0;
}

int us_wire_read_answer(struct us_wire_answer *ret_answer, const char *text, size_t length)
{
	US_CLEANUP(json_decrefp) json_t *message = NULL;
	struct us_wire_answer answer = { 0 };
	const json_t *error;
	int r = load_object(&message, text, length);

	if (r < 0)
		return r;
	error = json_object_get(message, "error");
	if (error && !json_is_null(error) && !json_is_string(error))
		return -EBADMSG;
	answer.error = json_string_value(error);
	r = read_parameters(message, &answer.parameters);
	if (r == 0)
		r = read_flag(message, "continues", &answer.continues);
	if (r < 0)
		return r;
	/* An error is always the last answer. */
	if (answer.error && answer.continues)
		return -EBADMSG;
	answer.message = US_STEAL(message);
	*ret_answer = answer;
	return 0;
}

void us_wire_call_deinit(struct us_wire_call *call)
{
	json_decref(call->message);
	*call = (struct us_wire_call){ 0 };
}

void us_wire_answer_deinit(struct us_wire_answer *answer)
{
	json_decref(answer->message);
	*answer = (struct us_wire_answer){ 0 };
}

static char *write_message(const char *key, const char *value, json_t *parameters, const char *flag)
{
	US_CLEANUP(json_decrefp) json_t *message = json_object();
	int r = 0;

	if (value)
		r = json_object_set_new(message, key, json_string(value));
	if (!parameters)
		parameters = json_object();
	r |= json_object_set_new(message, "parameters", parameters);
	if (flag)
		r |= json_object_set_new(message, flag, json_true());
	return r < 0 ? NULL : json_dumps(message, JSON_COMPACT);
}

char *us_wire_write_call(const char *method, json_t *parameters, bool more)
{
	return write_message("method", method, parameters, more ? "more" : NULL);
}

char *us_wire_write_answer(const char *error, json_t *parameters, bool continues)
{
	return write_message("error", error, parameters, continues ? "continues" : NULL);
}

json_t *us_wire_string(const char *text)
{
	US_CLEANUP(us_freep) char *copy = strdup(text);
	uint32_t character;

	if (!copy)
		return NULL;
	for (char *c = copy; *c;) {
		size_t length = us_utf8_decode(c, &character);

		if (length == 0)
			*c = '?';
		c += length ? length : 1;
	}
	return json_string(copy);
}
