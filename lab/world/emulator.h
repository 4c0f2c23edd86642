/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which QEMU runs the guests. Before 9.0 (commit "physmem: Fix migration dirty bitmap coherency
 * with TCG memory access") a store of an emulated guest may miss the dirty bitmap. Stale pages then
 * arrive at the destination, and the guest's kernel crashes some seconds after its migration. KVM
 * is not affected.
 */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/*
 * Fills lab->emulator and prints the choice with its reason. @migrates: a guest is to migrate; an
 * emulated one then needs a QEMU that migrates emulated guests correctly, and one is prepared if
 * the host has none. Refused if --qemu names an unsound one without --allow-unsound.
 */
int us_lab_emulator_choose(struct us_lab *lab, bool migrates, struct us_reason *reason);
/* The version in the first line of `QEMU --version`. Returns its major number, or -EBADMSG. */
int us_lab_emulator_parse_version(const char *line, char ret_version[32]);
