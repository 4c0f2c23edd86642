/* SPDX-License-Identifier: BSD-3-Clause */
/* The comparison of runs: its rows, medians and worst values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/campaign/comparison.h"

static json_t *report(const char *manager, const char *transition, int lost, int lowest_percent)
{
	return json_pack("{s:s,s:s,s:i,s:[{s:s,s:{s:i},s:{s:i}}]}", "primary", "vmxnet3", "manager",
			 manager, "downtime_ms", 30, "transitions", "transition", transition,
			 "to_guest", "lost", lost, "tcp", "lowest_percent", lowest_percent);
}

static double value(const json_t *rows, size_t row, const char *key, const char *which)
{
	json_t *values = json_object_get(json_array_get(rows, row), "values");

	return json_number_value(json_object_get(json_object_get(values, key), which));
}

static bool has(const json_t *rows, size_t row, const char *key)
{
	return json_object_get(json_object_get(json_array_get(rows, row), "values"), key);
}

static const char *manager(const json_t *rows, size_t row)
{
	return json_string_value(json_object_get(json_array_get(rows, row), "manager"));
}

static void rows_to_be_compared_are_adjacent(void **state)
{
	json_t *reports = json_pack(
		"[o,o,o,o,o,o,o]", report("qemu", "migrate", 300, 0),
		report("understudy", "migrate", 4, 60), report("understudy", "hide", 1, 90),
		report("understudy", "migrate", 0, 50), report("understudy", "migrate", 7, 10),
		report("understudy", "migrate", 2, 70), report("qemu", "hide", 20, 60));
	json_t *rows = us_comparison_new(reports);

	assert_int_equal(json_array_size(rows), 4);
	assert_string_equal(manager(rows, 0), "understudy");
	assert_string_equal(manager(rows, 1), "qemu");
	assert_float_equal(value(rows, 0, "lost", "worst"), 1, 0);
	assert_float_equal(value(rows, 1, "lost", "worst"), 20, 0);

	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(rows, 2), "transitions")), 4);
	assert_float_equal(value(rows, 2, "lost", "median"), 3, 0);
	assert_float_equal(value(rows, 2, "lost", "worst"), 7, 0);
	assert_float_equal(value(rows, 2, "tcp_lowest_percent", "worst"), 10, 0);
	assert_float_equal(value(rows, 3, "lost", "median"), 300, 0);

	/* Only a migration stops the VM; a value that was not measured is missing. */
	assert_false(has(rows, 0, "downtime_ms"));
	assert_true(has(rows, 2, "downtime_ms"));
	assert_false(has(rows, 2, "added_p50_ms"));
	json_decref(rows);
	json_decref(reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows_to_be_compared_are_adjacent) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
