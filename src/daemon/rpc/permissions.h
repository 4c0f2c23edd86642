/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The restrictions of understudyd.conf(5) for users other than root. The file is read at each call
 * to which it applies, so a change takes effect at once. A file that cannot be read, or has a
 * mistake, allows nothing.
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

/* Checks the file: 0, or US_REFUSED with the line of a mistake. */
int us_allow_check(const char *config_path, struct us_reason *reason);

/*
 * Whether @uid may name @value. If the file has no line of that kind, everybody may. Returns 0, or
 * US_REFUSED with the line that restricts it.
 */
int us_allow(const char *config_path, uid_t uid, enum us_allow what, const char *value,
	     struct us_reason *reason);

/*
 * The same for a monitor. The path is resolved first, so the target of a link counts; use @ret_path
 * from then on. For root, @ret_path is @path.
 */
int us_allow_monitor(const char *config_path, uid_t uid, const char *path, char ret_path[PATH_MAX],
		     struct us_reason *reason);

/*
 * The same for the URI of a libvirtd: only root may name another than US_LIBVIRT_SYSTEM, because
 * libvirt runs a program for some URIs.
 */
#define US_LIBVIRT_SYSTEM "qemu:///system"
int us_allow_libvirt(uid_t uid, const char *uri, struct us_reason *reason);

/* The same for a primary. */
int us_allow_primary(const char *config_path, uid_t uid, const struct us_primary_spec *spec,
		     struct us_reason *reason);
