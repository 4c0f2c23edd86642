/* SPDX-License-Identifier: BSD-3-Clause */
/* A migration by libvirt: virDomainMigrateToURI3(), live and peer to peer. */
#pragma once

#include <jansson.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "util/error.h"

/*
 * Both take {"uri": of the destination's libvirtd, "address": where its QEMU listens (optional),
 * "settings": {NAME: TEXT}}. The settings are: "bandwidth" (MiB/s), "parallel" (connections),
 * "compression" (a method), "auto-converge", "tls", "tunnelled", "persistent" ("on" or "off").
 */

/* Refused if a setting is unknown or has no valid value. */
int us_lv_migration_check(const json_t *arguments, bool *ret_is_encrypted,
			  struct us_reason *reason);

/* Blocks until it has ended. 0: the guest runs at the destination. */
int us_lv_migration_run(virDomainPtr domain, const json_t *arguments, struct us_reason *reason);
