/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A declared pair as the parameters of AddPair, and back. Its attributes have the names and the
 * values of the options of "understudy pair add"; all are texts. Pure.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/rpc/rpc-private.h"
#include "util/cleanup.h"
#include "util/quantity.h"

enum kind {
	TEXT,
	BOOLEAN,
	NUMBER,
	BYTES,
	SECONDS,
};

static const struct {
	const char *attribute, *member;
	bool is_of_park; /* the member is one of "park" */
	enum kind kind;
} table[] = {
	{ "name", "name", false, TEXT },	{ "standby", "standby", false, TEXT },
	{ "primary", "primary", false, TEXT },	{ "mode", "mode", false, TEXT },
	{ "group", "group", false, TEXT },	{ "bus", "bus", false, TEXT },
	{ "unused", "unused", false, TEXT },	{ "handover", "handover", false, TEXT },
	{ "hold", "hold", false, BOOLEAN },	{ "park-frames", "frames", true, NUMBER },
	{ "park-bytes", "bytes", true, BYTES }, { "park-time", "time_usec", true, SECONDS },
};

/* The API's names have no hyphens. */
static const struct {
	const char *attribute, *value;
} spellings[] = {
	{ "low-latency", "low_latency" },
};

/* ---- Reading ---- */

static json_t *read_text(const char *text)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(spellings); i++)
		if (strcmp(spellings[i].attribute, text) == 0)
			return json_string(spellings[i].value);
	return json_string(text);
}

/* *@ret_value is a new reference. */
static int read_value(const char *attribute, enum kind kind, const char *text, json_t **ret_value,
		      struct us_reason *reason)
{
	static const char *const expected[] = {
		[BOOLEAN] = "yes or no",
		[NUMBER] = "a whole number",
		[BYTES] = "a number, with K or M for KiB or MiB",
		[SECONDS] = "seconds",
	};
	bool is_yes = strcmp(text, "yes") == 0;
	uint64_t number = 0;
	int r = 0;

	if (kind == BOOLEAN)
		r = is_yes || strcmp(text, "no") == 0 ? 0 : -1;
	else if (kind == SECONDS)
		r = us_quantity_seconds(text, &number);
	else if (kind != TEXT)
		r = us_quantity_number(text, kind == BYTES ? "KM" : "", &number);
	if (r < 0)
		return us_refuse(reason, "%s=\"%.40s\": expected %s", attribute, text,
				 expected[kind]);
	if (kind == TEXT)
		*ret_value = read_text(text);
	else
		*ret_value =
			kind == BOOLEAN ? json_boolean(is_yes) : json_integer((json_int_t)number);
	return 0;
}

static int read_attribute(json_t *parameters, const char *name, const char *text,
			  struct us_reason *reason)
{
	json_t *park = json_object_get(parameters, "park");
	json_t *value = NULL;
	size_t i = 0;
	int r;

	while (i < US_ARRAY_LENGTH(table) && strcmp(table[i].attribute, name) != 0)
		i++;
	if (i == US_ARRAY_LENGTH(table)) {
		us_refuse(reason, "attribute \"%.40s\" is not known", name);
		return us_advise(reason, "understudy-libvirt(8) lists the attributes");
	}
	r = read_value(name, table[i].kind, text, &value, reason);
	if (r == 0)
		json_object_set_new(table[i].is_of_park ? park : parameters, table[i].member,
				    value);
	return r;
}

int us_declaration_read(const json_t *attributes, const char *vm, json_t **ret_parameters,
			struct us_reason *reason)
{
	US_CLEANUP(json_decrefp) json_t *parameters = json_pack("{s:s, s:{}}", "vm", vm, "park");
	const json_t *value;
	const char *name;
	int r = 0;

	json_object_foreach ((json_t *)attributes, name, value)
		if (r == 0)
			r = read_attribute(parameters, name, json_string_value(value), reason);
	if (r != 0)
		return r;
	if (!json_object_get(parameters, "name"))
		json_object_set_new(parameters, "name",
				    json_sprintf("%s-%s", vm, us_rpc_text(parameters, "standby")));
	*ret_parameters = US_STEAL(parameters);
	return 0;
}

/* ---- Writing ---- */

/* The shortest text that read_value() reads as @value. */
static json_t *write_value(enum kind kind, const json_t *value)
{
	json_int_t number = json_integer_value(value);
	char text[64];
	size_t end;

	if (kind == BOOLEAN)
		return json_string(json_is_true(value) ? "yes" : "no");
	if (kind == SECONDS) {
		end = snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64,
			       (int64_t)(number / 1000000), (int64_t)(number % 1000000));
		while (text[end - 1] == '0')
			text[--end] = '\0';
		if (text[end - 1] == '.')
			text[--end] = '\0';
		return json_string(text);
	}
	if (kind != TEXT)
		return json_sprintf("%" JSON_INTEGER_FORMAT, number);
	for (size_t i = 0; i < US_ARRAY_LENGTH(spellings); i++)
		if (strcmp(spellings[i].value, json_string_value(value)) == 0)
			return json_string(spellings[i].attribute);
	return json_string(json_string_value(value));
}

json_t *us_declaration_write(const json_t *parameters)
{
	const json_t *park = json_object_get(parameters, "park");
	json_t *attributes = json_object();

	for (size_t i = 0; i < US_ARRAY_LENGTH(table); i++) {
		const json_t *value =
			json_object_get(table[i].is_of_park ? park : parameters, table[i].member);

		if (value && !json_is_null(value))
			json_object_set_new(attributes, table[i].attribute,
					    write_value(table[i].kind, value));
	}
	return attributes;
}
