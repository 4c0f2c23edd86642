/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recognizes on a console that a Linux kernel has crashed, hangs or found its memory damaged, so
 * that a dead guest is not mistaken for lost frames. Pure: bytes in, lines out.
 *
 * A kernel that was told to reboot is judged by whether the next one starts, not by its last
 * messages: Linux 6.1 stops on a BUG() in vmxnet3 (vmxnet3_rq_destroy) if a primary is unplugged
 * between the shutdown of its driver and the reset.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define US_LAB_GUEST_READY "guest: ready" /* printed by the guest's init */
#define US_LAB_KERNEL_CRASH_LINES 12	  /* lines that are reported of one crash */

struct us_lab_kernel_crash {
	char line[240]; /* incomplete */
	size_t length;
	unsigned quoted;
	bool is_rebooting; /* until US_LAB_GUEST_READY; set by whoever tells it to reboot */
};

typedef void (*us_lab_kernel_crash_fn)(void *userdata, const char *line);

/* Whether @line means that the kernel no longer serves its network. */
bool us_lab_kernel_has_crashed(const char *line);

/* Calls @fn for the first line of a crash and for those after it, up to US_LAB_KERNEL_CRASH_LINES.
 * A long line is cut. Lines are made printable (util/printable.h). */
void us_lab_kernel_crash_feed(struct us_lab_kernel_crash *crash, const char *bytes, size_t size,
			      us_lab_kernel_crash_fn fn, void *userdata);
