/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors, one sign everywhere.
 *
 *   0            done
 *   -errno       fatal for this call; forwarded unchanged, never interpreted
 *   US_REFUSED   a documented outcome that the direct caller handles; a struct us_reason, which
 *                such functions take, says why
 *
 * A reason is one line for a person: the object, the problem with the peer's own words, and the
 * next step: `pair web0: QEMU refused device_add: "group 12 is not viable": bind all of group 12
 * to vfio-pci`.
 */
#pragma once

#include <stdbool.h>

enum {
	US_REFUSED = 1,
};

struct us_reason {
	char text[400];	  /* the whole line: "PROBLEM" or "PROBLEM: NEXT STEP" */
	unsigned next_at; /* where NEXT STEP begins in @text; 0: the reason has none */
};

/*
 * Writes the problem and returns US_REFUSED, so that a function can `return us_refuse(…)`.
 * @reason may be NULL. Text beyond the size is cut; the rest is made printable
 * (util/printable.h), because it may quote a peer.
 */
int us_refuse(struct us_reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Appends the next step to the problem that us_refuse() wrote, and returns US_REFUSED:
 *
 *	us_refuse(reason, "group %u is not viable", group);
 *	return us_advise(reason, "bind all of group %u to vfio-pci", group);
 */
int us_advise(struct us_reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Writes "CONTEXT: CAUSE" and returns US_REFUSED; the next step of @cause stays one. @cause and
 * @reason may be the same.
 */
int us_refuse_because(struct us_reason *reason, const struct us_reason *cause, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));

/* The next step, or "" if the reason has none. Valid as long as @reason is unchanged. */
const char *us_reason_next(const struct us_reason *reason);

/* The length of the problem in @reason->text, in bytes: what stands before ": NEXT STEP". */
unsigned us_reason_problem_length(const struct us_reason *reason);

/* The words for an errno, positive or negative: "No such file or directory". */
const char *us_strerror(int error);
