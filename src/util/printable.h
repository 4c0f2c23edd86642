/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that others chose, made safe for a log and for a terminal: one line, and nothing in it that
 * a reader cannot see.
 */
#pragma once

/*
 * Replaces in place, so that the text never grows: control characters (C0, DEL, C1) and line
 * separators by a space; by '?', what changes the direction of the text around it (U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+2069), and each byte that is no UTF-8 (RFC 3629).
 */
void us_make_printable(char *text);
