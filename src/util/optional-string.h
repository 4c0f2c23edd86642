/* SPDX-License-Identifier: BSD-3-Clause */
/* A string that is empty most of the time: it takes memory only while it is not. NULL is "". */
#pragma once

/*
 * Replaces *@string by a copy of @text, or by NULL if @text is NULL or "". Without memory for the
 * copy, *@string becomes NULL. The owner frees it with free(3).
 */
void us_optional_set(char **string, const char *text);

/* @string, or "" if it is NULL. */
const char *us_optional_text(const char *string);
