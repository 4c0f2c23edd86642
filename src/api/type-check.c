/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks JSON values against the types of an interface.
 *
 * The recursion is as deep as the type. If a type contains itself, it is as deep as the value, and
 * the JSON parser limits the depth of values.
 */
#include <stdio.h>
#include <string.h>

#include "api/interface.h"

/* Adds a step to the place of a wrong value; the innermost step is added first. */
static int wrong_at(const char *step, char *where, size_t size)
{
	char inner[128];

	snprintf(inner, sizeof(inner), "%s", where);
	snprintf(where, size, "%s%s%s", step, inner[0] && inner[0] != '[' ? "." : "", inner);
	return US_REFUSED;
}

static int check(const struct us_type *type, const json_t *value, bool is_strict, char *where,
		 size_t size);

static int check_array(const struct us_type *type, const json_t *value, bool is_strict, char *where,
		       size_t size)
{
	char step[32];

	if (!json_is_array(value))
		return US_REFUSED;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (check(type->element, json_array_get(value, i), is_strict, where, size) != 0) {
			snprintf(step, sizeof(step), "[%zu]", i);
			return wrong_at(step, where, size);
		}
	}
	return 0;
}

static int check_map(const struct us_type *type, const json_t *value, bool is_strict, char *where,
		     size_t size)
{
	const json_t *member;
	const char *name;

	if (!json_is_object(value))
		return US_REFUSED;
	/* Iterating does not change the object, but jansson has no const iterator. */
	json_object_foreach ((json_t *)value, name, member)
		if (check(type->element, member, is_strict, where, size) != 0)
			return wrong_at(name, where, size);
	return 0;
}

static const struct us_field *find_field(const struct us_type *type, const char *name)
{
	for (size_t i = 0; i < type->field_count; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

static int check_struct(const struct us_type *type, const json_t *value, bool is_strict,
			char *where, size_t size)
{
	const json_t *member;
	const char *name;

	if (!json_is_object(value))
		return US_REFUSED;
	json_object_foreach ((json_t *)value, name, member)
		if (is_strict && !find_field(type, name))
			return wrong_at(name, where, size);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct us_field *field = &type->fields[i];

		if (check(field->type, json_object_get(value, field->name), is_strict, where, size))
			return wrong_at(field->name, where, size);
	}
	return 0;
}

static int check(const struct us_type *type, const json_t *value, bool is_strict, char *where,
		 size_t size)
{
	if (!value || json_is_null(value))
		return type->nullable ? 0 : US_REFUSED;
	switch (type->kind) {
	case US_TYPE_BOOL:
		return json_is_boolean(value) ? 0 : US_REFUSED;
	case US_TYPE_INT:
		return json_is_integer(value) ? 0 : US_REFUSED;
	case US_TYPE_FLOAT:
		return json_is_number(value) ? 0 : US_REFUSED;
	case US_TYPE_STRING:
		return json_is_string(value) ? 0 : US_REFUSED;
	case US_TYPE_OBJECT:
		return json_is_object(value) ? 0 : US_REFUSED;
	case US_TYPE_ENUM:
		return json_is_string(value) && find_field(type, json_string_value(value))
			       ? 0
			       : US_REFUSED;
	case US_TYPE_STRUCT:
		return check_struct(type, value, is_strict, where, size);
	case US_TYPE_ARRAY:
		return check_array(type, value, is_strict, where, size);
	case US_TYPE_MAP:
		return check_map(type, value, is_strict, where, size);
	case US_TYPE_NAMED:
		return check(type->element, value, is_strict, where, size);
	case US_TYPE_N:
		break;
	}
	return US_REFUSED;
}

int us_type_check(const struct us_type *type, const json_t *value, char *ret_where, size_t size)
{
	ret_where[0] = '\0';
	return check(type, value, true, ret_where, size);
}

int us_type_check_known(const struct us_type *type, const json_t *value, char *ret_where,
			size_t size)
{
	ret_where[0] = '\0';
	return check(type, value, false, ret_where, size);
}
