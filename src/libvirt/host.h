/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection to one libvirtd, and its domains.
 *
 * It is opened again whenever it ends. A thread of its own runs libvirt's event loop. All functions
 * may be called from any thread, and block as long as libvirtd does.
 */
#pragma once

#include <jansson.h>
#include <libvirt/libvirt.h>

#include "util/error.h"

/* What is told of the domains, in libvirt's thread; @domain is a name. */
struct us_lv_host_handler {
	/* An event of QEMU's; @data is its JSON text, or NULL. */
	void (*event)(const char *domain, const char *name, long long seconds, unsigned micros,
		      const char *data);
	/* QEMU has removed the device @alias, and libvirt has cleaned up after it. */
	void (*removed)(const char *domain, const char *alias);
	void (*stopped)(const char *domain);
	/* A report for the daemon (control.h), which the function takes; of libvirtd, too. */
	void (*report)(json_t *report);
	/* The connection is lost. */
	void (*lost)(void);
};

/* Begins: connects to @uri now and after each failure. Borrows both. Returns 0 or -errno. */
int us_lv_host_start(const char *uri, const struct us_lv_host_handler *handler);

/* A reference to the connection, for virConnectClose(); NULL with @reason: libvirtd does not
 * answer. */
virConnectPtr us_lv_host_get(struct us_reason *reason);

/*
 * The version of the host's QEMU when the connection was opened, as virConnectGetVersion(): that
 * function waits while libvirt starts a domain.
 */
unsigned long us_lv_host_version(void);

/* Reports a running domain now: its declaration has changed. */
void us_lv_host_report(virDomainPtr domain);
