/* SPDX-License-Identifier: BSD-3-Clause */
/* A string that is empty most of the time: it takes memory only while it is not. NULL is "". */
#pragma once

#include <stdlib.h>
#include <string.h>

/*
 * Replaces *@string by a copy of @text, or by NULL if @text is NULL or "". Without memory for the
 * copy, *@string becomes NULL. The owner frees it with free(3).
 */
static inline void us_optional_set(char **string, const char *text)
{
	free(*string);
	*string = text && text[0] ? strdup(text) : NULL;
}

/* @string, or "" if it is NULL. */
static inline const char *us_optional_text(const char *string)
{
	return string ? string : "";
}
