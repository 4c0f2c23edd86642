/* SPDX-License-Identifier: BSD-3-Clause */
/* A network namespace for a test, with real links. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum {
	TESTBED_SKIP = 77,
};

extern const uint8_t guest_mac[6];

/* Moves this process into a new, empty network namespace without named ones. False: it is not root.
 */
bool testbed_enter(void);

/* Runs `ip` or `bridge` with the arguments of a printf; fails the test if that fails. */
void testbed_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns the output of a command, cut at @size. */
void testbed_read(char *ret_text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes a tap that is up and a port of @bridge (NULL: of none). Returns its non-blocking
 * descriptor. */
int testbed_tap(const char *name, const char *bridge);

/* Reads the next frame for the guest's MAC address from a tap. Returns its length, or 0 after
 * @timeout_msec. */
size_t testbed_next(int tap, uint8_t *ret_frame, size_t size, int timeout_msec);
