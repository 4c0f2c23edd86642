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

static void advice_is_the_next_step(void **state)
{
	struct us_reason reason;

	us_refuse(&reason, "group %d is \"a: b\"", 12);
	assert_string_equal(us_reason_next(&reason), "");
	assert_int_equal(us_reason_problem_length(&reason), strlen(reason.text));
	assert_int_equal(us_advise(&reason, "bind all of group %d: to vfio-pci", 12), US_REFUSED);
	assert_string_equal(reason.text, "group 12 is \"a: b\": bind all of group 12: to vfio-pci");
	assert_string_equal(us_reason_next(&reason), "bind all of group 12: to vfio-pci");
	assert_int_equal(us_reason_problem_length(&reason), strlen("group 12 is \"a: b\""));
	us_refuse(&reason, "again");
	assert_string_equal(us_reason_next(&reason), "");
	assert_int_equal(us_advise(NULL, "nobody reads it"), US_REFUSED);
}

static void advice_survives_a_context(void **state)
{
	struct us_reason cause, reason;

	us_refuse(&cause, "no such port");
	us_advise(&cause, "create it");
	assert_int_equal(us_refuse_because(&reason, &cause, "pair %s", "web0"), US_REFUSED);
	assert_string_equal(reason.text, "pair web0: no such port: create it");
	assert_string_equal(us_reason_next(&reason), "create it");
	us_refuse_because(&reason, &reason, "vm a");
	assert_string_equal(reason.text, "vm a: pair web0: no such port: create it");
	assert_string_equal(us_reason_next(&reason), "create it");
}

/* Wherever the text is cut, the next step lies in it. */
static void long_advice_is_cut(void **state)
{
	char words[sizeof(((struct us_reason *)0)->text)];

	for (size_t length = sizeof(words) - 6; length < sizeof(words); length++) {
		struct us_reason reason, outer;

		memset(words, 'w', length);
		words[length] = '\0';
		us_refuse(&reason, "%s", words);
		us_advise(&reason, "do this");
		assert_true(reason.next_at < sizeof(reason.text));
		us_refuse_because(&outer, &reason, "vm %s", "a");
		assert_true(strlen(outer.text) < sizeof(outer.text));
		assert_true(outer.next_at < sizeof(outer.text));
	}
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
		cmocka_unit_test(advice_is_the_next_step),
		cmocka_unit_test(advice_survives_a_context),
		cmocka_unit_test(long_advice_is_cut),
		cmocka_unit_test(errno_has_words_with_either_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) > 0;
}
