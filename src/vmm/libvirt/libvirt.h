/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The domains of libvirt, through helper processes: one understudy-libvirt (src/libvirt/) for each
 * URI of a libvirtd. libvirt's functions block, so they are called there.
 *
 * A domain's channel is a socket that speaks QMP as QEMU's monitor does, with a few commands for
 * libvirt besides (libvirt/commands.h). The channels of a helper that ends, end with it; it is
 * started again.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/error.h"

struct us_libvirt;

enum us_libvirt_state {
	US_LIBVIRT_RUNNING,
	US_LIBVIRT_INCOMING, /* waits for its guest to arrive */
	US_LIBVIRT_STOPPED,
};

/* What libvirt says of one domain. Valid during the call. */
struct us_libvirt_report {
	const char *uri, *domain;
	enum us_libvirt_state state;
	const json_t *pairs; /* its declaration, an array; NULL if it has none */
	const char *problem; /* why its declaration is not valid; NULL if it is */
};

typedef void (*us_libvirt_report_fn)(void *userdata, const struct us_libvirt_report *report);

/*
 * Borrows @loop, @program (the helper's path) and @userdata. @report is called for each running
 * domain of a watched URI at the start, and after each change. Returns 0 or -ENOMEM.
 */
int us_libvirt_new(struct us_libvirt **ret_libvirt, sd_event *loop, const char *program,
		   us_libvirt_report_fn report, void *userdata);
/* Ends the helpers. */
void us_libvirt_free(struct us_libvirt *libvirt);

/* What is known of a libvirtd. Valid during the call. */
struct us_libvirt_status {
	const char *uri;
	bool is_running;		 /* its helper */
	uint64_t started_usec;		 /* when that was started, in us_now_usec() */
	const char *version;		 /* of libvirt; "": it is not connected */
	const struct us_reason *problem; /* why it is not; NULL: none is known */
};

/* Calls @each for each libvirtd that has a helper. */
void us_libvirt_each(const struct us_libvirt *libvirt,
		     void (*each)(void *userdata, const struct us_libvirt_status *status),
		     void *userdata);
/* The helper's path. */
const char *us_libvirt_program(const struct us_libvirt *libvirt);

/* From now on @uri has a helper, which reports its domains. Returns 0 or -errno. */
int us_libvirt_watch(struct us_libvirt *libvirt, const char *uri);

/*
 * The address of a domain, "libvirt:URI#DOMAIN", takes the place of a monitor's path. Returns the
 * domain's name in @address, or NULL if it is a path.
 */
const char *us_libvirt_domain_of(const char *address);
/* Makes it. Returns 0, or -ENAMETOOLONG if it does not fit into @size bytes. */
int us_libvirt_address(char *buffer, size_t size, const char *uri, const char *domain);

/* Opens the channel of the domain at @address; *@ret_fd is the caller's. Returns 0 or -errno. */
int us_libvirt_open(struct us_libvirt *libvirt, const char *address, int *ret_fd);

/*
 * The helper that us_libvirt_open() found or started lasts until its last user is gone, if its URI
 * is not watched. Returns whether there is one, so that us_libvirt_unuse() must follow.
 */
bool us_libvirt_use(struct us_libvirt *libvirt, const char *address);
void us_libvirt_unuse(struct us_libvirt *libvirt, const char *address);

/*
 * The answer to a request: @r is 0, or US_REFUSED with @reason, or -ECONNRESET if the helper has
 * ended.
 */
typedef void (*us_libvirt_done_fn)(void *userdata, int r, const struct us_reason *reason);

/*
 * Asks the helper of @uri to change what a domain declares: libvirt/control.h has the names of
 * requests, and their @arguments, which are borrowed. Returns 0, and @done will be called; or
 * -errno, -EOPNOTSUPP if there is no helper.
 */
int us_libvirt_request(struct us_libvirt *libvirt, const char *uri, const char *name,
		       const json_t *arguments, us_libvirt_done_fn done, void *userdata);
