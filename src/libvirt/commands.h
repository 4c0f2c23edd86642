/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of a channel that libvirt carries out:
 *
 *   understudy-process {}                   {"pid"}: QEMU's process; 0 if it is not known
 *   understudy-inspect {"id"}               the standby, as us_domain_xml_standby()
 *   understudy-attach  {"id", "model", "host" or "interface" and "mac", "bus", "addr"}
 *   understudy-check-settings {"settings"}  {"encrypted"}: whether a migration with them is
 *   understudy-migrate {"uri", "address", "settings"}
 *                                           answers when libvirt has begun; the end is the event
 *                                           MIGRATION
 *   understudy-abort   {}                   ends it
 *   understudy-leave   {}                   after a migration: the channel may end
 */
#pragma once

#include "libvirt/channel.h"

/* Carries out @command if it is one of these, and answers it. False: it is none. */
bool us_lv_command_run(struct us_lv_channel *channel, const char *command, const json_t *arguments,
		       json_int_t id);
