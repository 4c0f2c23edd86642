/* SPDX-License-Identifier: BSD-3-Clause */
/* See optional-string.h. */
#include <stdlib.h>
#include <string.h>

#include "util/optional-string.h"

void us_optional_set(char **string, const char *text)
{
	free(*string);
	*string = text && text[0] ? strdup(text) : NULL;
}

const char *us_optional_text(const char *string)
{
	return string ? string : "";
}
