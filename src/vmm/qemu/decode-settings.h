/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decodes the settings of a migration: `--set` pairs, by the names and types that this QEMU
 * answered to query-migrate-capabilities and query-migrate-parameters. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "util/error.h"

/*
 * Sorts `--set` pairs into the arguments of migrate-set-capabilities (a list) and
 * migrate-set-parameters (an object). `events` is always on. The results are the caller's; both are
 * NULL unless 0 is returned. US_REFUSED for an unknown name or a value of another type.
 */
int us_qemu_decode_settings(const json_t *settings, const json_t *known_capabilities,
			    const json_t *known_parameters, json_t **ret_capabilities,
			    json_t **ret_parameters, struct us_reason *reason);

/*
 * The present values of the settings that us_qemu_decode_settings() made, from the same answers:
 * {"capabilities": {NAME: BOOL…}, "parameters": {NAME: VALUE…}}. The caller's; NULL without memory.
 */
json_t *us_qemu_decode_before(const json_t *known_capabilities, const json_t *known_parameters,
			      const json_t *capabilities, const json_t *parameters);

/* Whether a migration with @parameters set (NULL: none) is encrypted, by tls-creds. */
bool us_qemu_decode_is_encrypted(const json_t *known_parameters, const json_t *parameters);

/* Whether a capability is on with which the source connects more than once. */
bool us_qemu_decode_needs_connections(const json_t *known_capabilities);
