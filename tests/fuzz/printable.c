/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text, made printable: it is UTF-8 as another decoder has it, on one line, and stays as it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <locale.h>

#include "util/printable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check(const char *text)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	while ((n = mbrtowc(&c, text, strlen(text) + 1, &state)) > 0) {
		must(n != (size_t)-1 && n != (size_t)-2);
		must(c >= 0x20 && (c < 0x7f || c >= 0xa0));
		must(c != 0x2028 && c != 0x2029 && c != 0x61c && c != 0x200e && c != 0x200f);
		must((c < 0x202a || c > 0x202e) && (c < 0x2066 || c > 0x2069));
		text += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *again;

	must(text && setlocale(LC_CTYPE, "C.UTF-8"));
	memcpy(text, data, size);
	text[size] = '\0';
	us_make_printable(text);
	must(strlen(text) <= size);
	check(text);
	again = strdup(text);
	must(again != NULL);
	us_make_printable(again);
	must(strcmp(text, again) == 0);
	free(again);
	free(text);
	return 0;
}
