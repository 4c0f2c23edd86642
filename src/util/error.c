/* SPDX-License-Identifier: BSD-3-Clause */
/* Reasons quote peers: they are cut to one line and made printable. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/printable.h"

/* Appends to @reason at @length, and returns the new length. */
__attribute__((format(printf, 3, 0))) static unsigned
append(struct us_reason *reason, unsigned length, const char *format, va_list arguments)
{
	vsnprintf(reason->text + length, sizeof(reason->text) - length, format, arguments);
	us_make_printable(reason->text + length);
	return length + strlen(reason->text + length);
}

/* The same for ": ". A problem that fills the line stays as it is. */
static unsigned append_separator(struct us_reason *reason, unsigned length)
{
	if (length + 2 < sizeof(reason->text))
		length = stpcpy(reason->text + length, ": ") - reason->text;
	return length;
}

int us_refuse(struct us_reason *reason, const char *format, ...)
{
	va_list arguments;

	if (!reason)
		return US_REFUSED;
	va_start(arguments, format);
	append(reason, 0, format, arguments);
	va_end(arguments);
	reason->next_at = 0;
	return US_REFUSED;
}

int us_advise(struct us_reason *reason, const char *format, ...)
{
	va_list arguments;
	unsigned length;

	if (!reason)
		return US_REFUSED;
	length = strlen(reason->text);
	reason->next_at = append_separator(reason, length);
	if (reason->next_at == length) { /* no space is left for it */
		reason->next_at = 0;
		return US_REFUSED;
	}
	va_start(arguments, format);
	append(reason, reason->next_at, format, arguments);
	va_end(arguments);
	return US_REFUSED;
}

int us_refuse_because(struct us_reason *reason, const struct us_reason *cause, const char *format,
		      ...)
{
	struct us_reason inner = *cause;
	va_list arguments;
	unsigned length;

	if (!reason)
		return US_REFUSED;
	va_start(arguments, format);
	length = append(reason, 0, format, arguments);
	va_end(arguments);
	length = append_separator(reason, length);
	snprintf(reason->text + length, sizeof(reason->text) - length, "%s", inner.text);
	reason->next_at = inner.next_at ? length + inner.next_at : 0;
	if (reason->next_at >= sizeof(reason->text))
		reason->next_at = 0;
	return US_REFUSED;
}

const char *us_reason_next(const struct us_reason *reason)
{
	return reason->next_at ? reason->text + reason->next_at : "";
}

unsigned us_reason_problem_length(const struct us_reason *reason)
{
	return reason->next_at ? reason->next_at - 2 : strlen(reason->text);
}

const char *us_strerror(int error)
{
	return strerror(abs(error));
}
