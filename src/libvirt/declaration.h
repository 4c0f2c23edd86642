/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of a declaration, which is an array of pairs as us_domain_xml_pairs() reads it. Pure: an
 * array in, an array out.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/error.h"

/*
 * The name of a declared pair of @domain: its attribute "name", or else "DOMAIN-STANDBY". A name
 * that is too long is cut.
 */
void us_declaration_name(const char *domain, const json_t *pair, char *buffer, size_t size);

/* The pair @name of @domain's declaration, borrowed; NULL: there is none. */
json_t *us_declaration_find(const char *domain, const json_t *pairs, const char *name);

/*
 * Adds a copy of @pair to @pairs. Refused if a pair of its standby or of its name is declared.
 * Returns 0, US_REFUSED or -ENOMEM.
 */
int us_declaration_add(const char *domain, json_t *pairs, const json_t *pair,
		       struct us_reason *reason);

/* Removes the pair @name. False: there is none. */
bool us_declaration_remove(const char *domain, json_t *pairs, const char *name);

/* Sets the primary of the pair @name, or removes it if @primary is NULL. False: no such pair. */
bool us_declaration_assign(const char *domain, json_t *pairs, const char *name,
			   const char *primary);
