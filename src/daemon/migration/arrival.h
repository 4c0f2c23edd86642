/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that runs on this host again: the network is told, and what its source parked follows. */
#pragma once

#include <jansson.h>

struct us_host_pair;
struct us_host_vm;

/* Announces the MAC addresses of @vm's pairs from this host, anew. */
void us_arrival_announce(struct us_host_vm *vm);
/* Announces @addresses of the guest, an array of texts, as well. */
void us_arrival_announce_addresses(struct us_host_pair *pair, const json_t *addresses);
/* The guest is about to run elsewhere, or does. */
void us_arrival_stop_announcing(struct us_host_vm *vm);
