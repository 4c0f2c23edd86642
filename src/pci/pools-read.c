/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the file of pools, line by line, all of it or nothing. */
#include <errno.h>
#include <string.h>

#include "pci/pools.h"
#include "util/config.h"
#include "util/name.h"

struct reading {
	const struct us_config_line *line; /* the present one */
	struct us_pools *pools;
	struct us_reason *reason;
};

static const char *const source_words[] = { "pf", "vf", "network" };
_Static_assert(US_ARRAY_LENGTH(source_words) == US_POOL_SOURCES, "a word for each source");

static const struct {
	const char *word;
	int max; /* 1: "on" or "off" */
} settings[] = {
	[US_POOL_VLAN] = { "vlan", 4094 },
	[US_POOL_QOS] = { "qos", 7 },
	[US_POOL_MIN_RATE] = { "min-rate", 1000000 },
	[US_POOL_MAX_RATE] = { "max-rate", 1000000 },
	[US_POOL_SPOOF_CHECK] = { "spoof-check", 1 },
	[US_POOL_TRUST] = { "trust", 1 },
};
_Static_assert(US_ARRAY_LENGTH(settings) == US_POOL_SETTINGS, "a word for each setting");

/* "PATH:LINE: PROBLEM", and a next step */
#define REFUSE(reading, format, ...)                                                               \
	US_CONFIG_REFUSE((reading)->line, (reading)->reason, format, ##__VA_ARGS__)
#define ADVISE(reading, ...) us_advise((reading)->reason, __VA_ARGS__)

static bool is_pool_name(const char *text)
{
	return strlen(text) < US_POOL_NAME_SIZE && !text[strspn(text, US_NAME_CHARACTERS)];
}

static int add_pool(struct reading *reading, const char *name)
{
	struct us_pools *pools = reading->pools;
	struct us_pool *list;

	if (!is_pool_name(name))
		return REFUSE(reading,
			      "pool %.40s: a name has up to %d letters, digits, '.', '_' "
			      "and '-'",
			      name, US_POOL_NAME_SIZE - 1);
	if (us_pools_find(pools, name)) {
		REFUSE(reading, "pool %s: exists already", name);
		return ADVISE(reading, "choose another name");
	}
	if (pools->count == US_POOLS_MAX)
		return REFUSE(reading, "pool %s: more than %d pools", name, US_POOLS_MAX);
	list = reallocarray(pools->list, pools->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	pools->list = list;
	list[pools->count] = (struct us_pool){ .create = 0 };
	for (int i = 0; i < US_POOL_SETTINGS; i++)
		list[pools->count].settings[i] = US_POOL_UNCHANGED;
	snprintf(list[pools->count++].name, sizeof(list->name), "%s", name);
	return 0;
}

static int add_source(struct reading *reading, struct us_pool *pool, enum us_pool_source_type type,
		      const char *value)
{
	struct us_pool_source *source = &pool->sources[pool->count];

	if (type == US_POOL_VF && !us_pci_is_address(value)) {
		REFUSE(reading, "vf %.40s: is no PCI address", value);
		return ADVISE(reading, "write it like 0000:5e:00.2");
	}
	if (type == US_POOL_PF && strlen(value) >= IF_NAMESIZE)
		return REFUSE(reading, "pf %.40s: is no valid name of an interface", value);
	if (strlen(value) >= sizeof(source->value) || strchr(value, '/'))
		return REFUSE(reading, "%s %.40s: up to %zu characters, and no '/'",
			      source_words[type], value, sizeof(source->value) - 1);
	if (pool->count == US_POOL_SOURCES_MAX) {
		REFUSE(reading, "pool %s: more than %d sources", pool->name, US_POOL_SOURCES_MAX);
		return ADVISE(reading, "make two pools of it");
	}
	source->type = type;
	strcpy(source->value, value);
	pool->count++;
	return 0;
}

static bool to_number(const char *value, unsigned long least, unsigned long most,
		      unsigned long *ret_number)
{
	char *end;

	*ret_number = strtoul(value, &end, 10);
	return value[0] >= '0' && value[0] <= '9' && !*end && *ret_number >= least &&
	       *ret_number <= most;
}

static int set_create(struct reading *reading, struct us_pool *pool, const char *value)
{
	unsigned long number;

	if (!to_number(value, 1, US_POOL_CREATE_MAX, &number))
		return REFUSE(reading, "create %.40s: a number from 1 to %d", value,
			      US_POOL_CREATE_MAX);
	pool->create = number;
	return 0;
}

static int set_setting(struct reading *reading, struct us_pool *pool, enum us_pool_setting setting,
		       const char *value)
{
	const char *word = settings[setting].word;
	unsigned long number = strcmp(value, "on") == 0;

	if (settings[setting].max == 1) {
		if (!number && strcmp(value, "off") != 0)
			return REFUSE(reading, "%s %.40s: on or off", word, value);
	} else if (!to_number(value, 0, settings[setting].max, &number)) {
		return REFUSE(reading, "%s %.40s: a number from 0 to %d", word, value,
			      settings[setting].max);
	}
	pool->settings[setting] = number;
	return 0;
}

static int add_neighbours(struct reading *reading, const char *port)
{
	struct us_pools *pools = reading->pools;

	if (pools->count > 0) {
		REFUSE(reading, "neighbours %.40s: does not belong to a pool", port);
		return ADVISE(reading, "write it before the first pool");
	}
	if (strlen(port) >= IF_NAMESIZE)
		return REFUSE(reading, "neighbours %.40s: is no valid name of an interface", port);
	if (pools->neighbour_count == US_POOL_NEIGHBOURS_MAX)
		return REFUSE(reading, "neighbours %s: more than %d ports", port,
			      US_POOL_NEIGHBOURS_MAX);
	strcpy(pools->neighbours[pools->neighbour_count++], port);
	return 0;
}

static int on_line(void *userdata, const struct us_config_line *line, struct us_reason *reason)
{
	struct reading *reading = userdata;
	struct us_pools *pools = reading->pools;
	struct us_pool *pool = pools->count ? &pools->list[pools->count - 1] : NULL;
	const char *word = line->word, *value = line->value;

	reading->line = line;
	if (strcmp(word, "pool") == 0)
		return add_pool(reading, value);
	if (strcmp(word, "neighbours") == 0)
		return add_neighbours(reading, value);
	if (!pool) {
		REFUSE(reading, "%.40s: belongs to a pool", word);
		return ADVISE(reading, "begin with \"pool NAME\"");
	}
	if (strcmp(word, "create") == 0)
		return set_create(reading, pool, value);
	for (int type = 0; type < US_POOL_SOURCES; type++)
		if (strcmp(word, source_words[type]) == 0)
			return add_source(reading, pool, type, value);
	for (int setting = 0; setting < US_POOL_SETTINGS; setting++)
		if (strcmp(word, settings[setting].word) == 0)
			return set_setting(reading, pool, setting, value);
	return REFUSE(reading,
		      "%.40s: is not a known word: neighbours, pool, pf, vf, network, create, "
		      "vlan, qos, min-rate, max-rate, spoof-check or trust",
		      word);
}

/* A pool without sources is a mistake, and so is "create" with VFs that are named one by one. */
static int check_pools(const char *path, const struct us_pools *pools, struct us_reason *reason)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct us_pool *pool = &pools->list[i];
		bool has_pf = false;

		for (size_t j = 0; j < pool->count; j++)
			has_pf |= pool->sources[j].type != US_POOL_VF;
		if (pool->count == 0)
			return us_refuse(reason, "%s: pool %s: has no pf, vf or network", path,
					 pool->name);
		if (pool->create && !has_pf)
			return us_refuse(reason,
					 "%s: pool %s: create: has no pf or network to create "
					 "VFs of",
					 path, pool->name);
	}
	return 0;
}

int us_pools_read(const char *path, struct us_pools *ret_pools, struct us_reason *reason)
{
	struct us_pools pools = { .count = 0 };
	struct reading reading = { .pools = &pools, .reason = reason };
	int r;

	*ret_pools = pools;
	r = us_config_read(path, on_line, &reading, reason);
	if (r == 0)
		r = check_pools(path, &pools, reason);
	if (r == 0)
		*ret_pools = pools;
	else
		us_pools_free(&pools);
	return r;
}

void us_pools_free(struct us_pools *pools)
{
	free(pools->list);
	*pools = (struct us_pools){ .count = 0 };
}

const struct us_pool *us_pools_find(const struct us_pools *pools, const char *name)
{
	for (size_t i = 0; i < pools->count; i++)
		if (strcmp(pools->list[i].name, name) == 0)
			return &pools->list[i];
	return NULL;
}
