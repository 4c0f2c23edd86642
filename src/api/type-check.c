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

struct checking {
	bool is_strict; /* unknown members do not fit */
	char *where;	/* the place of the wrong value, of @size bytes */
	size_t size;
};

/* Adds a step to the place of a wrong value; the innermost step is added first. */
static bool wrong_at(const struct checking *checking, const char *step)
{
	char inner[128];

	snprintf(inner, sizeof(inner), "%s", checking->where);
	snprintf(checking->where, checking->size, "%s%s%s", step,
		 inner[0] && inner[0] != '[' ? "." : "", inner);
	return false;
}

static bool fits(const struct checking *checking, const struct us_type *type, const json_t *value);

static bool array_fits(const struct checking *checking, const struct us_type *type,
		       const json_t *array)
{
	const json_t *element;
	char step[32];
	size_t i;

	json_array_foreach (array, i, element) {
		if (!fits(checking, type->element, element)) {
			snprintf(step, sizeof(step), "[%zu]", i);
			return wrong_at(checking, step);
		}
	}
	return true;
}

static bool map_fits(const struct checking *checking, const struct us_type *type,
		     const json_t *object)
{
	const json_t *member;
	const char *name;

	/* Iterating does not change the object, but jansson has no const iterator. */
	json_object_foreach ((json_t *)object, name, member)
		if (!fits(checking, type->element, member))
			return wrong_at(checking, name);
	return true;
}

static const struct us_field *find_field(const struct us_type *type, const char *name)
{
	for (size_t i = 0; i < type->field_count; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

static bool struct_fits(const struct checking *checking, const struct us_type *type,
			const json_t *object)
{
	const json_t *member;
	const char *name;

	json_object_foreach ((json_t *)object, name, member)
		if (checking->is_strict && !find_field(type, name))
			return wrong_at(checking, name);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct us_field *field = &type->fields[i];

		if (!fits(checking, field->type, json_object_get(object, field->name)))
			return wrong_at(checking, field->name);
	}
	return true;
}

static bool fits(const struct checking *checking, const struct us_type *type, const json_t *value)
{
	if (!value || json_is_null(value))
		return type->nullable;
	switch (type->kind) {
	case US_TYPE_BOOL:
		return json_is_boolean(value);
	case US_TYPE_INT:
		return json_is_integer(value);
	case US_TYPE_FLOAT:
		return json_is_number(value);
	case US_TYPE_STRING:
		return json_is_string(value);
	case US_TYPE_OBJECT:
		return json_is_object(value);
	case US_TYPE_ENUM:
		return json_is_string(value) && find_field(type, json_string_value(value));
	case US_TYPE_STRUCT:
		return json_is_object(value) && struct_fits(checking, type, value);
	case US_TYPE_ARRAY:
		return json_is_array(value) && array_fits(checking, type, value);
	case US_TYPE_MAP:
		return json_is_object(value) && map_fits(checking, type, value);
	case US_TYPE_NAMED:
		return fits(checking, type->element, value);
	}
	return false;
}

int us_type_check(const struct us_type *type, const json_t *value, bool is_strict, char *ret_where,
		  size_t size)
{
	const struct checking checking = { is_strict, ret_where, size };

	ret_where[0] = '\0';
	return fits(&checking, type, value) ? 0 : US_REFUSED;
}
