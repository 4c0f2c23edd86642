/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors, one sign everywhere.
 *
 *   0            done
 *   -errno       fatal for this call; forwarded unchanged, never interpreted
 *   US_REFUSED   a documented outcome that the direct caller handles; the reason is in words,
 *                in the struct us_reason that such functions take
 *
 * A reason is one line for a person: the thing, what is wrong in the peer's own words, and the
 * next step: `pair web0: QEMU refused device_add: "group 12 is not viable": bind all of group 12
 * to vfio-pci`.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum {
	US_REFUSED = 1,
};

struct us_reason {
	char text[400];
};

/*
 * Writes the reason and returns US_REFUSED, so that a function can `return us_refuse(…)`.
 * @reason may be NULL. What does not fit is cut; the rest is made printable (util/printable.h),
 * because a peer's words may be in it.
 */
int us_refuse(struct us_reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The words for an errno, positive or negative: "No such file or directory". */
const char *us_strerror(int error);
