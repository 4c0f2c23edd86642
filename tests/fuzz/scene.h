/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the targets share that feed a whole daemon: a host of its own (namespaces with a bridge
 * br0, its ports n0, n1, p0 and p1, and an empty /run), and the daemon on it.
 */
#pragma once

#include "daemon/daemon.h"
#include "daemon/vm/vm.h"

/* Makes both, once in a process. Without the rights to, the process ends as a skipped test. */
void us_scene_init(struct us_daemon *daemon);

/* Takes away the VMs and what the switch was told for these two MACs. */
void us_scene_clear(struct us_daemon *daemon);
extern const uint8_t us_scene_macs[2][US_MAC_BYTES];

/* Runs the loop until there is nothing to do but to wait for time or for others. */
void us_scene_settle(struct us_daemon *daemon);

/* A pair of @vm, with port n0 or n1, the MAC of that index, and no primary. */
struct us_host_pair *us_scene_add_pair(struct us_host_vm *vm, const char *name, unsigned index);

/* Unlike assert(), also where those are compiled out. */
void us_scene_must(bool condition);
