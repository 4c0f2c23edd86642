/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt/error.h"
#include "libvirt/migrate.h"
#include "util/cleanup.h"

struct plan {
	unsigned flags;
	virTypedParameterPtr parameters;
	int count, capacity;
};

/* ---- Settings: each takes its text, and returns whether that is valid ---- */

static bool set_flag(struct plan *plan, const char *text, unsigned flag)
{
	bool is_on = strcmp(text, "on") == 0;

	plan->flags = is_on ? plan->flags | flag : plan->flags & ~flag;
	return is_on || strcmp(text, "off") == 0;
}

static bool read_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *ret_number > 0 &&
	       *ret_number <= max;
}

static bool set_bandwidth(struct plan *plan, const char *text)
{
	unsigned long number;

	return read_number(text, 1UL << 40, &number) &&
	       virTypedParamsAddULLong(&plan->parameters, &plan->count, &plan->capacity,
				       VIR_MIGRATE_PARAM_BANDWIDTH, number) == 0;
}

static bool set_parallel(struct plan *plan, const char *text)
{
	unsigned long number;

	plan->flags |= VIR_MIGRATE_PARALLEL;
	return read_number(text, 255, &number) &&
	       virTypedParamsAddInt(&plan->parameters, &plan->count, &plan->capacity,
				    VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, (int)number) == 0;
}

static bool set_compression(struct plan *plan, const char *text)
{
	plan->flags |= VIR_MIGRATE_COMPRESSED;
	return virTypedParamsAddString(&plan->parameters, &plan->count, &plan->capacity,
				       VIR_MIGRATE_PARAM_COMPRESSION, text) == 0;
}

static bool set_auto_converge(struct plan *plan, const char *text)
{
	return set_flag(plan, text, VIR_MIGRATE_AUTO_CONVERGE);
}

static bool set_tls(struct plan *plan, const char *text)
{
	return set_flag(plan, text, VIR_MIGRATE_TLS);
}

static bool set_tunnelled(struct plan *plan, const char *text)
{
	return set_flag(plan, text, VIR_MIGRATE_TUNNELLED);
}

static bool set_persistent(struct plan *plan, const char *text)
{
	return set_flag(plan, text, VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE);
}

static const struct {
	const char *name;
	bool (*set)(struct plan *plan, const char *text);
} settings_table[] = {
	{ "auto-converge", set_auto_converge }, { "bandwidth", set_bandwidth },
	{ "compression", set_compression },	{ "parallel", set_parallel },
	{ "persistent", set_persistent },	{ "tls", set_tls },
	{ "tunnelled", set_tunnelled },
};

static int set(struct plan *plan, const char *name, const char *text, struct us_reason *reason)
{
	if (strncmp(name, "postcopy", 8) == 0) {
		us_refuse(reason,
			  "setting %s: the guest would run at the destination before its "
			  "migration can no longer fail",
			  name);
		return us_advise(reason, "migrate without post-copy");
	}
	for (size_t i = 0; i < US_ARRAY_LENGTH(settings_table); i++)
		if (strcmp(settings_table[i].name, name) == 0)
			return settings_table[i].set(plan, text)
				       ? 0
				       : us_refuse(reason, "setting %s: \"%.60s\" is not valid",
						   name, text);
	us_refuse(reason, "setting %.60s: libvirt's migrations have none of this name", name);
	return us_advise(reason, "auto-converge, bandwidth, compression, parallel, persistent, tls "
				 "or tunnelled");
}

static int apply_settings(struct plan *plan, const json_t *arguments, struct us_reason *reason)
{
	const json_t *value;
	const char *name;
	int r = 0;

	json_object_foreach (json_object_get(arguments, "settings"), name, value)
		if (r == 0)
			r = set(plan, name, json_is_string(value) ? json_string_value(value) : "",
				reason);
	return r;
}

/* ---- The migration ---- */

/* libvirtd's own connection carries a tunnelled one. */
int us_lv_migration_check(const json_t *arguments, bool *ret_is_encrypted, struct us_reason *reason)
{
	struct plan plan = { 0 };
	int r = apply_settings(&plan, arguments, reason);

	*ret_is_encrypted = plan.flags & (VIR_MIGRATE_TLS | VIR_MIGRATE_TUNNELLED);
	virTypedParamsFree(plan.parameters, plan.count);
	return r;
}

int us_lv_migration_run(virDomainPtr domain, const json_t *arguments, struct us_reason *reason)
{
	const char *uri = json_string_value(json_object_get(arguments, "uri"));
	const char *address = json_string_value(json_object_get(arguments, "address"));
	struct plan plan = { .flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER };
	int r;

	if (!uri)
		return us_refuse(reason, "the migration names no URI of a libvirtd");
	if (virDomainIsPersistent(domain) == 1)
		plan.flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
	r = apply_settings(&plan, arguments, reason);
	if (r == 0 && address && !(plan.flags & VIR_MIGRATE_TUNNELLED))
		virTypedParamsAddString(&plan.parameters, &plan.count, &plan.capacity,
					VIR_MIGRATE_PARAM_URI, address);
	if (r == 0 &&
	    virDomainMigrateToURI3(domain, uri, plan.parameters, plan.count, plan.flags) < 0)
		r = us_lv_refuse(reason, "migration");
	virTypedParamsFree(plan.parameters, plan.count);
	return r;
}
