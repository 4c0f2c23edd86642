/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/quantity.h"

int us_quantity_number(const char *text, const char *units, uint64_t *ret_number)
{
	long long scale = 1, number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end != text && *end && strchr(units, *end))
		scale = *end++ == 'K' ? 1024 : 1024 * 1024;
	if (end == text || *end || errno || number < 1 || number > INT64_MAX / scale)
		return -EINVAL;
	*ret_number = number * scale;
	return 0;
}

int us_quantity_seconds(const char *text, uint64_t *ret_usec)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < 1e6))
		return -EINVAL;
	*ret_usec = (uint64_t)(seconds * 1e6 + 0.5);
	return 0;
}
