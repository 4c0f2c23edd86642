/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What others than root may name in their calls, by understudyd.conf(5). The file is read at each
 * such call: it takes effect at once, and one that cannot be read, or has a mistake, allows
 * nothing.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "util/error.h"

struct us_primary_spec;

enum us_allow {
	US_ALLOW_MONITOR_DIR, /* of AttachVm's monitor: the path of a socket */
	US_ALLOW_DESTINATION, /* of Migrate: api/uri.h */
	US_ALLOW_PCI,	      /* the address of a primary */
	US_ALLOW_POOL,	      /* … or its pool's name */
	US_ALLOW_N
};

/* Whether the file has a mistake: 0, or US_REFUSED with its line. */
int us_allow_check(const char *config_path, struct us_reason *reason);

/*
 * Whether @uid may name @value. Where the file has no line of that kind, anyone may. Returns 0, or
 * US_REFUSED with the line that restricts it.
 */
int us_allow(const char *config_path, uid_t uid, enum us_allow what, const char *value,
	     struct us_reason *reason);

/*
 * The same for a monitor, whose path is resolved first: what a link leads to counts, and what is in
 * @ret_path is what is to be used from then on. For root that is @path.
 */
int us_allow_monitor(const char *config_path, uid_t uid, const char *path, char ret_path[PATH_MAX],
		     struct us_reason *reason);

/* The same for what a SPEC names. */
int us_allow_primary(const char *config_path, uid_t uid, const struct us_primary_spec *spec,
		     struct us_reason *reason);
