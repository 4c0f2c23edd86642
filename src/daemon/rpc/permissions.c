/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/uri.h"
#include "daemon/pair/spec.h"
#include "daemon/rpc/permissions.h"
#include "util/cleanup.h"
#include "util/config.h"

struct question {
	enum us_allow what;
	const char *value;
	bool is_allowed; /* by one of the lines */
	unsigned lines;	 /* of that kind */
	char first[300]; /* the first of them, with its number */
};

static bool is_below(const char *path, const char *directory)
{
	char resolved[PATH_MAX];
	size_t length;

	if (!realpath(directory, resolved))
		return false;
	length = strlen(resolved);
	if (strcmp(resolved, "/") == 0)
		return true;
	return strncmp(path, resolved, length) == 0 && path[length] == '/';
}

/* A line without a user or a port allows every user or port. */
static bool is_destination(const char *text, const char *allowed)
{
	struct us_uri asked, line;

	if (us_uri_parse(text, &asked, NULL) != 0 || us_uri_parse(allowed, &line, NULL) != 0 ||
	    asked.type != line.type)
		return false;
	if (asked.type == US_URI_UNIX)
		return strcmp(asked.path, line.path) == 0;
	return strcasecmp(asked.host, line.host) == 0 &&
	       (!line.user[0] || strcmp(asked.user, line.user) == 0) &&
	       (!line.port || asked.port == line.port);
}

static bool is_same(const char *text, const char *allowed)
{
	return strcmp(text, allowed) == 0;
}

static bool is_absolute(const char *value)
{
	return value[0] == '/';
}

static bool is_uri(const char *value)
{
	struct us_uri uri;

	return us_uri_parse(value, &uri, NULL) == 0;
}

static bool is_pool(const char *value)
{
	return strlen(value) < US_POOL_NAME_SIZE;
}

static const struct {
	const char *word, *thing, *form;
	bool (*is_valid)(const char *value);
	bool (*matches)(const char *value, const char *allowed);
} kinds[] = {
	[US_ALLOW_MONITOR_DIR] = { "monitor-dir", "monitor", "a directory: /run/vms", is_absolute,
				   is_below },
	[US_ALLOW_DESTINATION] = { "destination", "destination", US_URI_FORMS, is_uri,
				   is_destination },
	[US_ALLOW_PCI] = { "pci", "primary", "a PCI address: 0000:5e:00.2", us_pci_is_address,
			   is_same },
	[US_ALLOW_POOL] = { "pool", "pool", "a pool of understudy-pools.conf(5)", is_pool,
			    is_same },
};
_Static_assert(US_ARRAY_LENGTH(kinds) == US_ALLOW_N, "a word for each kind");

static void answer(struct question *question, const struct us_config_line *line, bool is_none)
{
	if (!is_none && kinds[question->what].matches(question->value, line->value))
		question->is_allowed = true;
	if (question->lines++ == 0)
		snprintf(question->first, sizeof(question->first), "%s:%u: %s %s", line->path,
			 line->number, line->word, line->value);
}

/* Checks every line, also lines of other kinds. */
static int on_line(void *userdata, const struct us_config_line *line, struct us_reason *reason)
{
	struct question *question = userdata;
	bool is_none = strcmp(line->value, "none") == 0;

	for (int kind = 0; kind < US_ALLOW_N; kind++) {
		if (strcmp(line->word, kinds[kind].word) != 0)
			continue;
		if (!is_none && !kinds[kind].is_valid(line->value))
			return US_CONFIG_REFUSE(line, reason, "%s %.80s: is neither none nor %s",
						line->word, line->value, kinds[kind].form);
		if (kind == (int)question->what)
			answer(question, line, is_none);
		return 0;
	}
	US_CONFIG_REFUSE(line, reason, "%.40s: is no word of this file", line->word);
	return us_advise(reason, "monitor-dir, destination, pci or pool");
}

int us_allow_check(const char *config_path, struct us_reason *reason)
{
	struct question nothing = { .what = US_ALLOW_N };

	return us_config_read(config_path, on_line, &nothing, reason);
}

static bool is_unrestricted(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

int us_allow(const char *config_path, uid_t uid, enum us_allow what, const char *value,
	     struct us_reason *reason)
{
	struct question question = { .what = what, .value = value };
	int r;

	if (is_unrestricted(uid))
		return 0;
	r = us_config_read(config_path, on_line, &question, reason);
	if (r != 0 || question.lines == 0 || question.is_allowed)
		return r;
	if (question.lines == 1)
		us_refuse(reason, "%s %.100s: not allowed to user %u by %s", kinds[what].thing,
			  value, uid, question.first);
	else
		us_refuse(reason, "%s %.100s: not allowed to user %u by %s, and %u more",
			  kinds[what].thing, value, uid, question.first, question.lines - 1);
	return us_advise(reason, "ask root");
}

int us_allow_monitor(const char *config_path, uid_t uid, const char *path, char ret_path[PATH_MAX],
		     struct us_reason *reason)
{
	int r;

	if (is_unrestricted(uid)) {
		r = snprintf(ret_path, PATH_MAX, "%s", path);
		return r < PATH_MAX ? 0 : -ENAMETOOLONG;
	}
	if (!realpath(path, ret_path)) {
		int error = errno;

		r = us_allow(config_path, uid, US_ALLOW_MONITOR_DIR, path, reason);
		return r != 0 ? r : us_refuse(reason, "%.200s: %s", path, us_strerror(error));
	}
	return us_allow(config_path, uid, US_ALLOW_MONITOR_DIR, ret_path, reason);
}

int us_allow_libvirt(uid_t uid, const char *uri, struct us_reason *reason)
{
	if (uid == 0 || strcmp(uri, US_LIBVIRT_SYSTEM) == 0)
		return 0;
	us_refuse(reason, "only root may name another libvirt than " US_LIBVIRT_SYSTEM);
	return us_advise(reason, "ask root");
}

int us_allow_primary(const char *config_path, uid_t uid, const struct us_primary_spec *spec,
		     struct us_reason *reason)
{
	if (spec->pool[0])
		return us_allow(config_path, uid, US_ALLOW_POOL, spec->pool, reason);
	if (spec->host[0])
		return us_allow(config_path, uid, US_ALLOW_PCI, spec->host, reason);
	return 0;
}
