/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libvirt/declaration.h"
#include "libvirt/domain-xml.h"

enum {
	NAME_SIZE = 256,
};

static const char *text(const json_t *pair, const char *attribute)
{
	const char *value = json_string_value(json_object_get(pair, attribute));

	return value ? value : "";
}

void us_declaration_name(const char *domain, const json_t *pair, char *buffer, size_t size)
{
	if (text(pair, "name")[0])
		snprintf(buffer, size, "%s", text(pair, "name"));
	else
		snprintf(buffer, size, "%s-%s", domain, text(pair, "standby"));
}

/* The index of the pair @name, or the number of pairs if there is none. */
static size_t find(const char *domain, const json_t *pairs, const char *name)
{
	char other[NAME_SIZE];
	const json_t *pair;
	size_t i;

	json_array_foreach (pairs, i, pair) {
		us_declaration_name(domain, pair, other, sizeof(other));
		if (strcmp(other, name) == 0)
			break;
	}
	return i;
}

json_t *us_declaration_find(const char *domain, const json_t *pairs, const char *name)
{
	return json_array_get(pairs, find(domain, pairs, name));
}

static int refuse(const char *domain, const json_t *other, const char *what,
		  struct us_reason *reason)
{
	char name[NAME_SIZE];

	us_declaration_name(domain, other, name, sizeof(name));
	us_refuse(reason, "domain %s declares pair %s, which has that %s", domain, name, what);
	return us_advise(reason, "understudy pair remove %s --persist, first", name);
}

int us_declaration_add(const char *domain, json_t *pairs, const json_t *pair,
		       struct us_reason *reason)
{
	char name[NAME_SIZE];
	const json_t *other;
	size_t i;

	us_declaration_name(domain, pair, name, sizeof(name));
	json_array_foreach (pairs, i, other)
		if (strcmp(text(other, "standby"), text(pair, "standby")) == 0)
			return refuse(domain, other, "standby", reason);
	other = us_declaration_find(domain, pairs, name);
	if (other)
		return refuse(domain, other, "name", reason);
	if (json_array_size(pairs) >= US_DECLARED_PAIRS_MAX)
		return us_refuse(reason, "domain %s declares %d pairs, the maximum", domain,
				 US_DECLARED_PAIRS_MAX);
	return json_array_append_new(pairs, json_deep_copy(pair)) == 0 ? 0 : -ENOMEM;
}

bool us_declaration_remove(const char *domain, json_t *pairs, const char *name)
{
	return json_array_remove(pairs, find(domain, pairs, name)) == 0;
}

bool us_declaration_assign(const char *domain, json_t *pairs, const char *name, const char *primary)
{
	json_t *pair = us_declaration_find(domain, pairs, name);

	if (pair && primary)
		json_object_set_new(pair, "primary", json_string(primary));
	else if (pair)
		json_object_del(pair, "primary");
	return pair;
}
