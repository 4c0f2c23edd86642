/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "lab/world/kernel-crash.h"
#include "util/cleanup.h"
#include "util/printable.h"

/*
 * Parts of Linux's messages at KERN_ERR and above, which it prints even with "quiet". "BUG: "
 * begins messages of lib/bug.c, KASAN, the page fault handler and the watchdogs. A WARNING is no
 * crash.
 */
static const char *const words[] = {
	"Kernel panic",
	"Oops",
	"BUG: ",
	"kernel BUG at",
	"general protection fault",
	"Unable to handle kernel",
	"Internal error:",     /* arm64's die() */
	"list_add corruption", /* lib/list_debug.c */
	"list_del corruption",
	"soft lockup",
	"hard LOCKUP",
	"rcu_preempt detected stalls",
	"rcu_sched detected stalls",
	"self-detected stall on CPU",
	" blocked for more than ", /* kernel/hung_task.c */
	"Attempted to kill init",
};

bool us_lab_kernel_has_crashed(const char *line)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static void end_line(struct us_lab_kernel_crash *crash, us_lab_kernel_crash_fn fn, void *userdata)
{
	crash->line[crash->length] = 0;
	us_make_printable(crash->line);
	if (crash->is_rebooting && strstr(crash->line, US_LAB_GUEST_READY)) {
		crash->is_rebooting = false;
		crash->quoted = 0;
	}
	if (crash->length && (crash->quoted || us_lab_kernel_has_crashed(crash->line)) &&
	    crash->quoted < US_LAB_KERNEL_CRASH_LINES) {
		crash->quoted++;
		fn(userdata, crash->line);
	}
	crash->length = 0;
}

void us_lab_kernel_crash_feed(struct us_lab_kernel_crash *crash, const char *bytes, size_t size,
			      us_lab_kernel_crash_fn fn, void *userdata)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			end_line(crash, fn, userdata);
		else if (crash->length < sizeof(crash->line) - 1)
			crash->line[crash->length++] = bytes[i] ? bytes[i] : ' ';
	}
}
