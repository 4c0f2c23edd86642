/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "util/clock.h"
#include "vmm/qmp/message.h"

const json_t *us_json_find(const json_t *array, const char *name, const char *value)
{
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)array, i, entry) {
		const char *found = json_string_value(json_object_get(entry, name));

		if (found && strcmp(found, value) == 0)
			return entry;
	}
	return NULL;
}

uint64_t us_json_uint64(const json_t *value)
{
	double real = json_number_value(value);

	if (json_is_integer(value))
		return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
	/* 2^64 as a double. Casting it or a larger one is undefined. */
	return real > 0 && real < 18446744073709551616.0 ? (uint64_t)real : 0;
}

static json_t *parse(const char *text, size_t length)
{
	json_error_t error;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

	/* jansson's integers are signed, but QMP has unsigned ones, such as feature words. */
	if (!root && json_error_code(&error) == json_error_numeric_overflow)
		root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
				  &error);
	return root;
}

static bool parse_greeting(struct us_qmp_message *message, const json_t *greeting)
{
	const json_t *version = json_object_get(json_object_get(greeting, "version"), "qemu");

	if (!json_is_object(version))
		return false;
	message->major = us_json_uint64(json_object_get(version, "major"));
	message->minor = us_json_uint64(json_object_get(version, "minor"));
	message->micro = us_json_uint64(json_object_get(version, "micro"));
	return true;
}

static bool parse_event(struct us_qmp_message *message)
{
	const json_t *timestamp = json_object_get(message->root, "timestamp");
	uint64_t sec = us_json_uint64(json_object_get(timestamp, "seconds"));

	message->name = json_string_value(json_object_get(message->root, "event"));
	message->value = json_object_get(message->root, "data");
	if (message->value && !json_is_object(message->value))
		return false;
	/* QEMU sends -1 when it could not read its clock. */
	if (sec > 0 && sec < UINT64_MAX / US_USEC_PER_SEC - 1)
		message->sent_usec = sec * US_USEC_PER_SEC +
				     us_json_uint64(json_object_get(timestamp, "microseconds")) %
					     US_USEC_PER_SEC;
	return message->name;
}

static bool parse_error(struct us_qmp_message *message, const json_t *error)
{
	message->class = json_string_value(json_object_get(error, "class"));
	message->words = json_string_value(json_object_get(error, "desc"));
	return message->class && message->words;
}

static void parse_id(struct us_qmp_message *message)
{
	const json_t *id = json_object_get(message->root, "id");
	double real = json_number_value(id);

	message->has_id = json_is_number(id) && real > -1e15 && real < 1e15;
	if (message->has_id)
		message->id = json_is_integer(id) ? json_integer_value(id) : (int64_t)real;
}

void us_qmp_message_init(struct us_qmp_message *message, const char *text, size_t length)
{
	const json_t *part;
	bool valid = false;

	*message = (struct us_qmp_message){ .root = parse(text, length) };
	if ((part = json_object_get(message->root, "return"))) {
		message->kind = US_QMP_RETURN;
		message->value = part;
		valid = true;
	} else if ((part = json_object_get(message->root, "error"))) {
		message->kind = US_QMP_ERROR;
		valid = parse_error(message, part);
	} else if (json_object_get(message->root, "event")) {
		message->kind = US_QMP_EVENT;
		valid = parse_event(message);
	} else if ((part = json_object_get(message->root, "QMP"))) {
		message->kind = US_QMP_GREETING;
		valid = parse_greeting(message, part);
	}
	parse_id(message);
	if (!valid)
		message->kind = US_QMP_INVALID;
}

void us_qmp_message_deinit(struct us_qmp_message *message)
{
	json_decref(message->root);
	*message = (struct us_qmp_message){ 0 };
}

int us_qmp_message_make(char **ret_text, int64_t id, const char *command, const char *format,
			va_list arguments)
{
	json_t *values = NULL, *request;
	char *text;

	if (format) {
		values = json_vpack_ex(NULL, 0, format, arguments);
		if (!values)
			return -EINVAL;
	}
	request = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", values, "id",
			    (json_int_t)id);
	text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}
