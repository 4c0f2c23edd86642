/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/error.h"

static void refusal_has_its_words(void **state)
{
	struct us_reason reason;

	assert_int_equal(us_refuse(&reason, "pair %s: %d", "web0", 3), US_REFUSED);
	assert_string_equal(reason.text, "pair web0: 3");
	assert_int_equal(us_refuse(NULL, "nobody %s", "listens"), US_REFUSED);
}

static void peers_words_are_one_line(void **state)
{
	struct us_reason reason;

	us_refuse(&reason, "%s", "a\nb\tc\033[1md\177é");
	assert_string_equal(reason.text, "a b c [1md é");
}

static void long_words_are_cut(void **state)
{
	struct us_reason reason;
	char words[2 * sizeof(reason.text)];

	memset(words, 'w', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	us_refuse(&reason, "%s", words);
	assert_int_equal(strlen(reason.text), sizeof(reason.text) - 1);
}

static void errno_has_words_with_either_sign(void **state)
{
	assert_string_equal(us_strerror(ENOENT), "No such file or directory");
	assert_string_equal(us_strerror(-ENOENT), "No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_has_its_words),
		cmocka_unit_test(peers_words_are_one_line),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(errno_has_words_with_either_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
