/* SPDX-License-Identifier: BSD-3-Clause */
/* See kernel-watch.h. */
#include <string.h>

#include "lab/world/kernel-crash.h"
#include "util/cleanup.h"
#include "util/printable.h"

/*
 * Linux's words at KERN_ERR and above, which a guest that boots with "quiet" prints. "BUG: " begins
 * what lib/bug.c, KASAN, the page fault handler and the watchdogs print. A mere WARNING is no
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

static void end_line(struct us_lab_kernel_crash *watch, us_lab_kernel_crash_fn fn, void *userdata)
{
	watch->line[watch->length] = 0;
	us_make_printable(watch->line);
	if (watch->length && (watch->quoted || us_lab_kernel_has_crashed(watch->line)) &&
	    watch->quoted < US_LAB_KERNEL_CRASH_LINES) {
		watch->quoted++;
		fn(userdata, watch->line);
	}
	watch->length = 0;
}

void us_lab_kernel_crash_feed(struct us_lab_kernel_crash *watch, const char *bytes, size_t size,
			      us_lab_kernel_crash_fn fn, void *userdata)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			end_line(watch, fn, userdata);
		else if (watch->length < sizeof(watch->line) - 1)
			watch->line[watch->length++] = bytes[i] ? bytes[i] : ' ';
	}
}
