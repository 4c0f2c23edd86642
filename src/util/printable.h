/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes text of others safe for a log and for a terminal: one line, without invisible characters.
 */
#pragma once

/*
 * Replaces in place, so the text never grows. Control characters (C0, DEL, C1) and line separators
 * become a space. Characters that change the direction of text (U+061C, U+200E, U+200F, U+202A to
 * U+202E, U+2066 to U+2069) and bytes that are no UTF-8 (RFC 3629) become '?'.
 */
void us_make_printable(char *text);
