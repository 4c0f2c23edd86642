/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements: when a guest arrives on this host, or stays here after a failed migration, the
 * network is told where its addresses are now (net/presence/announce.h).
 */
#pragma once

#include <jansson.h>

struct us_host_pair;
struct us_host_vm;

/* Begins to announce the MAC addresses of @vm's pairs; ends earlier announcements. */
void us_arrival_announce(struct us_host_vm *vm);
/* Announces the guest's IP addresses, too: @addresses is an array of texts. */
void us_arrival_announce_addresses(struct us_host_pair *pair, const json_t *addresses);
/* The guest runs on another host, or is about to. */
void us_arrival_stop_announcing(struct us_host_vm *vm);
