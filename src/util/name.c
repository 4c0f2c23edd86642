/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <string.h>

#include "util/name.h"

bool us_name_is_valid(const char *name)
{
	if (!isalpha((unsigned char)name[0]) || strlen(name) >= US_NAME_MAX)
		return false;
	return !name[strspn(name, US_NAME_CHARACTERS)];
}
