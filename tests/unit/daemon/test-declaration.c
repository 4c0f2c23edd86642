/* SPDX-License-Identifier: BSD-3-Clause */
/* A declared pair is the parameters of AddPair, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/rpc/rpc-private.h"
#include "util/cleanup.h"

#define ALL                                                                                        \
	"{\"name\":\"a\",\"standby\":\"net0\",\"primary\":\"pool:fast\",\"mode\":\"coupled\","     \
	"\"group\":\"g\",\"bus\":\"pci.1\",\"unused\":\"hide\",\"handover\":\"low-latency\","      \
	"\"hold\":\"yes\",\"park-frames\":\"7\",\"park-bytes\":\"1048576\",\"park-time\":\"2.5\"}"

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static void test_all_attributes(void **state)
{
	US_CLEANUP(json_decrefp) json_t *attributes = parse(ALL);
	US_CLEANUP(json_decrefp)
	json_t *wanted = parse(
		"{\"vm\":\"web\",\"name\":\"a\",\"standby\":\"net0\",\"primary\":\"pool:fast\","
		"\"mode\":\"coupled\",\"group\":\"g\",\"bus\":\"pci.1\",\"unused\":\"hide\","
		"\"handover\":\"low_latency\",\"hold\":true,"
		"\"park\":{\"frames\":7,\"bytes\":1048576,\"time_usec\":2500000}}");
	US_CLEANUP(json_decrefp) json_t *parameters = NULL;
	US_CLEANUP(json_decrefp) json_t *back = NULL;
	struct us_reason reason;

	assert_int_equal(us_declaration_read(attributes, "web", &parameters, &reason), 0);
	assert_true(json_equal(parameters, wanted));
	back = us_declaration_write(parameters);
	assert_true(json_equal(back, attributes));
}

static void test_the_name_of_a_pair_without_one(void **state)
{
	US_CLEANUP(json_decrefp) json_t *attributes = parse("{\"standby\":\"net1\"}");
	US_CLEANUP(json_decrefp) json_t *parameters = NULL;
	struct us_reason reason;

	assert_int_equal(us_declaration_read(attributes, "web", &parameters, &reason), 0);
	assert_string_equal(us_rpc_text(parameters, "name"), "web-net1");
}

static void test_wrong_attributes(void **state)
{
	static const char *const wrong[] = {
		"{\"standby\":\"net0\",\"prmary\":\"pool:a\"}",
		"{\"standby\":\"net0\",\"vm\":\"other\"}",
		"{\"standby\":\"net0\",\"hold\":\"true\"}",
		"{\"standby\":\"net0\",\"park-frames\":\"7K\"}",
		"{\"standby\":\"net0\",\"park-bytes\":\"many\"}",
		"{\"standby\":\"net0\",\"park-time\":\"-1\"}",
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(wrong); i++) {
		US_CLEANUP(json_decrefp) json_t *attributes = parse(wrong[i]);
		struct us_reason reason = { .text = "" };
		json_t *parameters = NULL;

		assert_int_equal(us_declaration_read(attributes, "web", &parameters, &reason),
				 US_REFUSED);
		assert_null(parameters);
		assert_true(reason.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_attributes),
		cmocka_unit_test(test_the_name_of_a_pair_without_one),
		cmocka_unit_test(test_wrong_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
