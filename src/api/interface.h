/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Varlink interface definitions: reads their text, and checks parameters against them.
 * https://varlink.org/Interface-Definition
 *
 * The program contains the text of the definition, parses it once at the start, enforces it, and
 * serves it unchanged. So people read exactly the definition that is enforced.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"
#include "util/error.h"

/* The built-in definitions, with their comments. */
extern const char us_control_interface_text[]; /* org.understudy.Control */
extern const char us_service_interface_text[]; /* org.varlink.service */

enum us_type_kind {
	US_TYPE_BOOL,
	US_TYPE_INT,
	US_TYPE_FLOAT,
	US_TYPE_STRING,
	US_TYPE_OBJECT, /* any JSON object */
	US_TYPE_ENUM,	/* fields: its values, without types */
	US_TYPE_STRUCT, /* fields */
	US_TYPE_ARRAY,	/* element */
	US_TYPE_MAP,	/* element, by string */
	US_TYPE_NAMED,	/* name; element: the type of that name */
};

struct us_type;

struct us_field {
	char *name;
	struct us_type *type;
};

struct us_type {
	enum us_type_kind kind;
	bool nullable;
	char *name;
	struct us_type *element;
	struct us_field *fields;
	size_t field_count;
};

enum us_member_kind {
	US_MEMBER_TYPE,	  /* in: the type */
	US_MEMBER_METHOD, /* in, out: structs */
	US_MEMBER_ERROR,  /* in: the struct of its parameters */
};

struct us_member {
	enum us_member_kind kind;
	char *name; /* without the name of the interface */
	struct us_type *in, *out;
};

struct us_interface {
	char *name;
	const char *text; /* borrowed: the definition */
	struct us_member *members;
	size_t member_count;
};

/*
 * Reads a definition; @text is borrowed for as long as the interface lives. Returns 0, -ENOMEM,
 * or US_REFUSED with the line and what is wrong there.
 */
int us_interface_new(struct us_interface **ret_interface, const char *text,
		     struct us_reason *reason);
void us_interface_free(struct us_interface *interface);
US_DEFINE_CLEANUP(struct us_interface *, us_interface_free)

/* NULL if there is none of that kind and name. */
const struct us_member *us_interface_find(const struct us_interface *interface,
					  enum us_member_kind kind, const char *name);

/*
 * Checks a value against a type. A nullable member may be null or absent; an unknown member is
 * refused if @is_strict, otherwise ignored. Returns 0, or US_REFUSED with the place in @ret_where,
 * "pairs[0].mac", cut at @size.
 */
int us_type_check(const struct us_type *type, const json_t *value, bool is_strict, char *ret_where,
		  size_t size);
