/* SPDX-License-Identifier: BSD-3-Clause */
/* Varlink messages: bytes in, meaning out, and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/codec.h"
#include "util/cleanup.h"

static void test_calls(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *method, *parameters;
		bool more, oneway, upgrade;
	} cases[] = {
		{ "{\"method\":\"a.B\"}", 0, "a.B", "{}", false, false, false },
		{ "{\"method\":\"a.B\",\"parameters\":null,\"more\":null}", 0, "a.B", "{}", false,
		  false, false },
		{ "{\"method\":\"a.B\",\"parameters\":{\"x\":[1]},\"more\":true}", 0, "a.B",
		  "{\"x\":[1]}", true, false, false },
		{ "{\"method\":\"a.B\",\"oneway\":true,\"upgrade\":true}", 0, "a.B", "{}", false,
		  true, true },
		{ "{\"method\":\"a.B\",\"later\":1}", 0, "a.B", "{}", false, false, false },
		{ "", -EBADMSG, NULL, NULL, false, false, false },
		{ "[]", -EBADMSG, NULL, NULL, false, false, false },
		{ "\"a.B\"", -EBADMSG, NULL, NULL, false, false, false },
		{ "{}", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":7}", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":\"a.B\"", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":\"a.B\"} {}", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":\"a.B\",\"method\":\"a.C\"}", -EBADMSG, NULL, NULL, false, false,
		  false },
		{ "{\"method\":\"a.B\",\"parameters\":[]}", -EBADMSG, NULL, NULL, false, false,
		  false },
		{ "{\"method\":\"a.B\",\"more\":1}", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":\"a.B\",\"oneway\":\"yes\"}", -EBADMSG, NULL, NULL, false, false,
		  false },
		{ "{\"method\":\"a\\u0000B\"}", -EBADMSG, NULL, NULL, false, false, false },
		{ "{\"method\":\"\xff\"}", -EBADMSG, NULL, NULL, false, false, false },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct us_wire_call call = { 0 };
		US_CLEANUP(json_decrefp) json_t *expected = NULL;

		assert_int_equal(us_wire_read_call(&call, cases[i].text, strlen(cases[i].text)),
				 cases[i].result);
		if (cases[i].result != 0) {
			assert_null(call.message);
			continue;
		}
		expected = json_loads(cases[i].parameters, 0, NULL);
		assert_string_equal(call.method, cases[i].method);
		assert_true(json_equal(call.parameters, expected));
		assert_int_equal(call.more, cases[i].more);
		assert_int_equal(call.oneway, cases[i].oneway);
		assert_int_equal(call.upgrade, cases[i].upgrade);
		us_wire_call_deinit(&call);
		us_wire_call_deinit(&call);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *error;
		bool continues;
	} cases[] = {
		{ "{}", 0, NULL, false },
		{ "{\"parameters\":{\"x\":1},\"continues\":true}", 0, NULL, true },
		{ "{\"error\":\"a.E\",\"parameters\":{}}", 0, "a.E", false },
		{ "{\"error\":null}", 0, NULL, false },
		{ "{\"error\":\"a.E\",\"continues\":true}", -EBADMSG, NULL, false },
		{ "{\"error\":1}", -EBADMSG, NULL, false },
		{ "{\"continues\":1}", -EBADMSG, NULL, false },
		{ "{\"parameters\":1}", -EBADMSG, NULL, false },
		{ "nonsense", -EBADMSG, NULL, false },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct us_wire_answer answer = { 0 };

		assert_int_equal(us_wire_read_answer(&answer, cases[i].text, strlen(cases[i].text)),
				 cases[i].result);
		if (cases[i].result != 0)
			continue;
		if (cases[i].error)
			assert_string_equal(answer.error, cases[i].error);
		else
			assert_null(answer.error);
		assert_int_equal(answer.continues, cases[i].continues);
		assert_true(json_is_object(answer.parameters));
		us_wire_answer_deinit(&answer);
	}
}

static void assert_text(char *text, const char *expected)
{
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_writing(void **state)
{
	assert_text(us_wire_write_call("a.B", NULL, false),
		    "{\"method\":\"a.B\",\"parameters\":{}}");
	assert_text(us_wire_write_call("a.B", json_pack("{s:i}", "x", 1), true),
		    "{\"method\":\"a.B\",\"parameters\":{\"x\":1},\"more\":true}");
	assert_text(us_wire_write_answer(NULL, NULL, false), "{\"parameters\":{}}");
	assert_text(us_wire_write_answer(NULL, NULL, true),
		    "{\"parameters\":{},\"continues\":true}");
	assert_text(us_wire_write_answer("a.E", json_pack("{s:s}", "message", "m"), false),
		    "{\"error\":\"a.E\",\"parameters\":{\"message\":\"m\"}}");
}

static void test_strings_of_any_bytes(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "hidden → exposing", "hidden → exposing" },
		{ "cut \xe2\x86", "cut ??" },
		{ "\xc0\xaf over-long", "?? over-long" },
		{ "\xed\xa0\x80 surrogate", "??? surrogate" },
		{ "\xf0\x9f\x98\x80 four", "\xf0\x9f\x98\x80 four" },
		{ "\xf4\x90\x80\x80 beyond", "???? beyond" },
		{ "\xff\x80", "??" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		US_CLEANUP(json_decrefp) json_t *string = us_wire_string(cases[i][0]);

		assert_non_null(string);
		assert_string_equal(json_string_value(string), cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_strings_of_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
