/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "vmm/qemu/decode-settings.h"
#include "vmm/qmp/message.h"

/* NULL if @text is no truth value. */
static json_t *decode_boolean(const char *text)
{
	static const char *const yes[] = { "on", "true", "yes", "1" };
	static const char *const no[] = { "off", "false", "no", "0" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return json_true();
		if (strcmp(text, no[i]) == 0)
			return json_false();
	}
	return NULL;
}

/* A whole number, with K, M, G or T for powers of 1024; NULL if @text is no such number. */
static json_t *decode_size(const char *text)
{
	static const char units[] = { 'K', 'M', 'G', 'T' };
	unsigned long long value;
	const char *unit;
	unsigned shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	value = strtoull(text, &end, 10);
	unit = memchr(units, toupper((unsigned char)*end), sizeof(units));
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || *end || value > (unsigned long long)INT64_MAX >> shift)
		return NULL;
	return json_integer((json_int_t)(value << shift));
}

/* Converts @text to the type of @like; NULL if it cannot be converted. */
static json_t *decode_like(const json_t *like, const char *text)
{
	if (json_is_boolean(like))
		return decode_boolean(text);
	if (json_is_number(like))
		return decode_size(text);
	if (json_is_string(like))
		return json_string(text);
	return NULL;
}

static int refuse_value(const json_t *like, const char *name, const char *text,
			struct us_reason *reason)
{
	us_refuse(reason, "migration setting %s: \"%s\" is no %s", name, text ? text : "(none)",
		  json_is_boolean(like)	 ? "truth value"
		  : json_is_number(like) ? "number"
					 : "value that can be set this way");
	if (json_is_boolean(like))
		return us_advise(reason, "say on or off");
	return json_is_number(like) ? us_advise(reason, "digits, then K, M, G or T") : US_REFUSED;
}

/* Adds one pair to @capabilities or to @parameters. */
static int decode_setting(const char *name, const char *text, const json_t *known_capabilities,
			  const json_t *known_parameters, json_t *capabilities, json_t *parameters,
			  struct us_reason *reason)
{
	bool is_capability = us_json_find(known_capabilities, "capability", name);
	const json_t *like = is_capability ? json_true() : json_object_get(known_parameters, name);
	json_t *value;
	int r;

	if (!like)
		return us_refuse(reason,
				 "this QEMU has no migration capability or parameter named \"%s\"",
				 name);
	value = text ? decode_like(like, text) : NULL;
	if (!value)
		return refuse_value(like, name, text, reason);
	if (!is_capability)
		return json_object_set_new(parameters, name, value) < 0 ? -ENOMEM : 0;
	r = json_array_append_new(capabilities,
				  json_pack("{s:s, s:o}", "capability", name, "state", value));
	return r < 0 ? -ENOMEM : 0;
}

int us_qemu_decode_settings(const json_t *settings, const json_t *known_capabilities,
			    const json_t *known_parameters, json_t **ret_capabilities,
			    json_t **ret_parameters, struct us_reason *reason)
{
	json_t *capabilities = json_pack("[{s:s, s:b}]", "capability", "events", "state", 1);
	json_t *parameters = json_object();
	const char *name;
	json_t *value;
	int r = capabilities && parameters ? 0 : -ENOMEM;

	*ret_capabilities = *ret_parameters = NULL;
	json_object_foreach ((json_t *)settings, name, value) {
		/* `events` stays on, or the progress of the migration would be unknown. */
		if (r || strcmp(name, "events") == 0)
			continue;
		r = decode_setting(name, json_string_value(value), known_capabilities,
				   known_parameters, capabilities, parameters, reason);
	}
	if (r) {
		json_decref(capabilities);
		json_decref(parameters);
		return r;
	}
	*ret_capabilities = capabilities;
	*ret_parameters = parameters;
	return 0;
}

/*
 * A value that QEMU does not tell cannot be put back. A list or an object, which may be of any
 * depth, is not put back either.
 */
static int remember(json_t *object, const char *name, json_t *value)
{
	bool is_plain = value && !json_is_array(value) && !json_is_object(value);

	return is_plain ? json_object_set(object, name, value) : 0;
}

json_t *us_qemu_decode_before(const json_t *known_capabilities, const json_t *known_parameters,
			      const json_t *capabilities, const json_t *parameters)
{
	json_t *states = json_object(), *values = json_object(), *value;
	const char *name;
	const json_t *entry;
	int r = 0;
	size_t i;

	json_array_foreach ((json_t *)capabilities, i, entry) {
		const json_t *known;

		name = json_string_value(json_object_get(entry, "capability"));
		known = us_json_find(known_capabilities, "capability", name);
		/* `events` stays on while Understudy is there. */
		if (known && strcmp(name, "events") != 0)
			r |= remember(states, name, json_object_get(known, "state"));
	}
	json_object_foreach ((json_t *)parameters, name, value)
		r |= remember(values, name, json_object_get(known_parameters, name));
	if (r) {
		json_decref(states);
		json_decref(values);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "capabilities", states, "parameters", values);
}

bool us_qemu_decode_is_encrypted(const json_t *known_parameters, const json_t *parameters)
{
	const json_t *set = json_object_get(parameters, "tls-creds");
	const char *id =
		json_string_value(set ? set : json_object_get(known_parameters, "tls-creds"));

	return id && id[0];
}

bool us_qemu_decode_needs_connections(const json_t *known_capabilities)
{
	static const char *const names[] = { "multifd", "postcopy-preempt" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(names); i++)
		if (json_is_true(json_object_get(
			    us_json_find(known_capabilities, "capability", names[i]), "state")))
			return true;
	return false;
}
