/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of reserved VFs: whole, exclusive, and the same when they are read back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "pci/record.h"

#define ADDRESS "0000:5e:00.2"

static char directory[64], path[128];

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/us-record-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/records/" ADDRESS, directory);
	strcat(directory, "/records");
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(directory);
	*strrchr(directory, '/') = '\0';
	/* Fails if a record that was not finished is left. */
	return rmdir(directory);
}

static struct us_reserved reserved_for(const char *pair)
{
	struct us_reserved reserved = { .address = ADDRESS,
					.owner = "/var/lib/understudy a",
					.pool = "fast",
					.former = "ixgbevf",
					.port = "enp94s0f0",
					.index = 3,
					.original = "02:00:00:00:00:01/0/0/0/0/0/1/0",
					.node_owner = 107 };

	snprintf(reserved.pair, sizeof(reserved.pair), "%s", pair);
	return reserved;
}

static void test_round_trip(void **state)
{
	struct us_reserved reserved = reserved_for("web0"), seen;

	assert_int_equal(us_record_read(directory, ADDRESS, &seen), -ENOENT);
	assert_int_equal(us_record_make(directory, &reserved), 0);
	assert_int_equal(us_record_read(directory, ADDRESS, &seen), 0);
	assert_string_equal(seen.address, ADDRESS);
	assert_string_equal(seen.owner, reserved.owner);
	assert_string_equal(seen.pair, "web0");
	assert_string_equal(seen.pool, "fast");
	assert_string_equal(seen.former, "ixgbevf");
	assert_string_equal(seen.port, "enp94s0f0");
	assert_string_equal(seen.representor, "");
	assert_string_equal(seen.original, reserved.original);
	assert_true(seen.index == 3 && seen.node_owner == 107);
	assert_int_equal(us_record_remove(directory, ADDRESS), 0);
	assert_int_equal(us_record_remove(directory, ADDRESS), -ENOENT);
}

static void test_only_one_is_made(void **state)
{
	struct us_reserved one = reserved_for("one"), other = reserved_for("other"), seen;

	assert_int_equal(us_record_make(directory, &one), 0);
	assert_int_equal(us_record_make(directory, &other), -EEXIST);
	assert_int_equal(us_record_read(directory, ADDRESS, &seen), 0);
	assert_string_equal(seen.pair, "one");
	assert_int_equal(us_record_replace(directory, &other), 0);
	assert_int_equal(us_record_read(directory, ADDRESS, &seen), 0);
	assert_string_equal(seen.pair, "other");
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_malformed(void **state)
{
	static const char *const malformed[] = {
		"", "\n\n", "nonsense", "owner /run/a\n", "pair web0\n", "ownerless\npair web0\n"
	};
	struct us_reserved reserved = reserved_for("web0"), seen;

	assert_int_equal(us_record_make(directory, &reserved), 0);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		write_text(malformed[i]);
		assert_int_equal(us_record_read(directory, ADDRESS, &seen), -EBADMSG);
	}
	assert_int_equal(us_record_read(directory, "../" ADDRESS, &seen), -EBADMSG);
	/* Unknown words are skipped; missing ones have no value. */
	write_text("owner /run/a\nfuture value\npair web0\n");
	assert_int_equal(us_record_read(directory, ADDRESS, &seen), 0);
	assert_true(seen.index == -1 && seen.node_owner == -1 && !seen.former[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_one_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
