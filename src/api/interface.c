/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/interface.h"

enum {
	DEPTH_MAX = 16, /* of types within types: more than any definition has */
};

struct parser {
	const char *at;
	size_t line;
	struct us_reason *reason;
};

static const char *const basic_names[] = {
	[US_TYPE_BOOL] = "bool",     [US_TYPE_INT] = "int",	  [US_TYPE_FLOAT] = "float",
	[US_TYPE_STRING] = "string", [US_TYPE_OBJECT] = "object",
};

static int wrong(struct parser *parser, const char *expected)
{
	return us_refuse(parser->reason, "line %zu: expected %s", parser->line, expected);
}

/* ---- Memory ---- */

static void type_free(struct us_type *type)
{
	if (!type)
		return;
	for (size_t i = 0; i < type->field_count; i++) {
		free(type->fields[i].name);
		type_free(type->fields[i].type);
	}
	/* The element of a named type belongs to another member. */
	if (type->kind != US_TYPE_NAMED)
		type_free(type->element);
	free(type->fields);
	free(type->name);
	free(type);
}
US_DEFINE_CLEANUP(struct us_type *, type_free)

void us_interface_free(struct us_interface *interface)
{
	if (!interface)
		return;
	for (size_t i = 0; i < interface->member_count; i++) {
		free(interface->members[i].name);
		type_free(interface->members[i].in);
		type_free(interface->members[i].out);
	}
	free(interface->members);
	free(interface->name);
	free(interface);
}

/* Appends a zeroed element, and returns it; NULL without memory. */
static void *grow(void *array, size_t *count, size_t size)
{
	char **data = array;
	char *grown = reallocarray(*data, *count + 1, size);

	if (!grown)
		return NULL;
	*data = grown;
	return memset(grown + (*count)++ * size, 0, size);
}

/* ---- Words ---- */

static void skip(struct parser *parser)
{
	for (;; parser->at++) {
		if (*parser->at == '#')
			parser->at += strcspn(parser->at, "\n");
		if (*parser->at == '\n')
			parser->line++;
		else if (!isspace((unsigned char)*parser->at))
			return;
	}
}

static bool accept(struct parser *parser, const char *token)
{
	size_t length = strlen(token);

	skip(parser);
	if (strncmp(parser->at, token, length) != 0)
		return false;
	parser->at += length;
	return true;
}

static int expect(struct parser *parser, const char *token)
{
	return accept(parser, token) ? 0 : wrong(parser, token);
}

/* A name of letters, digits and @punctuation that starts with a letter. */
static int read_name(struct parser *parser, const char *punctuation, char **ret_name)
{
	const char *start;
	size_t length = 0;

	skip(parser);
	start = parser->at;
	if (!isalpha((unsigned char)*start))
		return wrong(parser, "a name");
	while (isalnum((unsigned char)start[length]) ||
	       (start[length] && strchr(punctuation, start[length])))
		length++;
	*ret_name = strndup(start, length);
	if (!*ret_name)
		return -ENOMEM;
	parser->at += length;
	return 0;
}

/* ---- Types ---- */

static int read_type(struct parser *parser, int depth, struct us_type **ret_type);

static int read_field(struct parser *parser, int depth, struct us_type *type)
{
	size_t count = type->field_count;
	struct us_field *field = grow(&type->fields, &type->field_count, sizeof(*field));
	bool typed;
	int r;

	if (!field)
		return -ENOMEM;
	r = read_name(parser, "_", &field->name);
	if (r != 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (strcmp(type->fields[i].name, field->name) == 0)
			return wrong(parser, "a name that is not taken");
	typed = accept(parser, ":");
	if (count == 0)
		type->kind = typed ? US_TYPE_STRUCT : US_TYPE_ENUM;
	else if (typed != (type->kind == US_TYPE_STRUCT))
		return wrong(parser, "types for all members or for none");
	return typed ? read_type(parser, depth + 1, &field->type) : 0;
}

/* "(a: int, b: string)", "()" or the enum "(a, b)", from its bracket on. */
static int read_struct(struct parser *parser, int depth, struct us_type *type)
{
	int r = expect(parser, "(");

	type->kind = US_TYPE_STRUCT;
	if (r != 0)
		return r;
	if (accept(parser, ")"))
		return 0;
	do {
		r = read_field(parser, depth, type);
		if (r != 0)
			return r;
	} while (accept(parser, ","));
	return expect(parser, ")");
}

static int read_named(struct parser *parser, struct us_type *type)
{
	int r = read_name(parser, "", &type->name);

	if (r != 0)
		return r;
	for (size_t i = 0; i < US_ARRAY_LENGTH(basic_names); i++) {
		if (strcmp(type->name, basic_names[i]) == 0) {
			free(US_STEAL(type->name));
			type->kind = i;
			return 0;
		}
	}
	type->kind = US_TYPE_NAMED;
	if (!isupper((unsigned char)type->name[0]))
		return wrong(parser, "a type");
	return 0;
}

static int read_type(struct parser *parser, int depth, struct us_type **ret_type)
{
	US_CLEANUP(type_freep) struct us_type *type = calloc(1, sizeof(*type));
	int r;

	if (!type)
		return -ENOMEM;
	if (depth > DEPTH_MAX)
		return wrong(parser, "fewer types within types");
	type->nullable = accept(parser, "?");
	if (accept(parser, "[]")) {
		type->kind = US_TYPE_ARRAY;
		r = read_type(parser, depth + 1, &type->element);
	} else if (accept(parser, "[string]")) {
		type->kind = US_TYPE_MAP;
		r = read_type(parser, depth + 1, &type->element);
	} else if (skip(parser), *parser->at == '(') {
		r = read_struct(parser, depth, type);
	} else {
		r = read_named(parser, type);
	}
	if (r != 0)
		return r;
	*ret_type = US_STEAL(type);
	return 0;
}

/* ---- Members ---- */

static int read_struct_type(struct parser *parser, struct us_type **ret_type)
{
	int r = read_type(parser, 0, ret_type);

	if (r == 0 && ((*ret_type)->kind != US_TYPE_STRUCT || (*ret_type)->nullable))
		r = wrong(parser, "named parameters in brackets");
	return r;
}

/* Only these kinds: a type that is only a name could name itself. */
static int read_new_type(struct parser *parser, struct us_type **ret_type)
{
	skip(parser);
	if (*parser->at != '(')
		return wrong(parser, "members in brackets");
	return read_type(parser, 0, ret_type);
}

static int read_member(struct parser *parser, struct us_interface *interface)
{
	struct us_member *member =
		grow(&interface->members, &interface->member_count, sizeof(*member));
	int r;

	if (!member)
		return -ENOMEM;
	if (accept(parser, "type "))
		member->kind = US_MEMBER_TYPE;
	else if (accept(parser, "method "))
		member->kind = US_MEMBER_METHOD;
	else if (accept(parser, "error "))
		member->kind = US_MEMBER_ERROR;
	else
		return wrong(parser, "type, method or error");
	r = read_name(parser, "", &member->name);
	if (r != 0)
		return r;
	for (size_t i = 0; i + 1 < interface->member_count; i++)
		if (strcmp(interface->members[i].name, member->name) == 0)
			return wrong(parser, "a name that is not taken");
	if (member->kind == US_MEMBER_TYPE)
		return read_new_type(parser, &member->in);
	r = read_struct_type(parser, &member->in);
	if (r == 0 && member->kind == US_MEMBER_METHOD)
		r = expect(parser, "->");
	if (r == 0 && member->kind == US_MEMBER_METHOD)
		r = read_struct_type(parser, &member->out);
	return r;
}

/* A name may be used before its definition, so names are resolved at the end. */
static int resolve(const struct us_interface *interface, struct us_type *type,
		   struct us_reason *reason)
{
	const struct us_member *member;
	int r = 0;

	if (!type)
		return 0;
	if (type->kind == US_TYPE_NAMED) {
		member = us_interface_find(interface, US_MEMBER_TYPE, type->name);
		if (!member)
			return us_refuse(reason, "type %s is not defined", type->name);
		type->element = member->in;
		return 0;
	}
	for (size_t i = 0; r == 0 && i < type->field_count; i++)
		r = resolve(interface, type->fields[i].type, reason);
	return r == 0 ? resolve(interface, type->element, reason) : r;
}

int us_interface_new(struct us_interface **ret_interface, const char *text,
		     struct us_reason *reason)
{
	US_CLEANUP(us_interface_freep)
	struct us_interface *interface = calloc(1, sizeof(*interface));
	struct parser parser = { .at = text, .line = 1, .reason = reason };
	int r;

	if (!interface)
		return -ENOMEM;
	interface->text = text;
	r = expect(&parser, "interface ");
	if (r == 0)
		r = read_name(&parser, ".-", &interface->name);
	for (skip(&parser); r == 0 && *parser.at; skip(&parser))
		r = read_member(&parser, interface);
	for (size_t i = 0; r == 0 && i < interface->member_count; i++) {
		r = resolve(interface, interface->members[i].in, reason);
		if (r == 0)
			r = resolve(interface, interface->members[i].out, reason);
	}
	if (r != 0)
		return r;
	*ret_interface = US_STEAL(interface);
	return 0;
}

const struct us_member *us_interface_find(const struct us_interface *interface,
					  enum us_member_kind kind, const char *name)
{
	for (size_t i = 0; i < interface->member_count; i++)
		if (interface->members[i].kind == kind &&
		    strcmp(interface->members[i].name, name) == 0)
			return &interface->members[i];
	return NULL;
}
