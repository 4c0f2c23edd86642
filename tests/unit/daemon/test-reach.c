/* SPDX-License-Identifier: BSD-3-Clause */
/* What a destination's word for where it listens becomes at the source. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/migration/source-private.h"

static void test_reach(void **state)
{
	static const struct {
		const char *destination, *uri, *expected;
	} cases[] = {
		{ "ssh://root@other", "tcp:0.0.0.0:4444", "tcp:other:4444" },
		{ "ssh://other", "tcp:[::]:4444", "tcp:other:4444" },
		{ "ssh://other:2222", "tcp:0.0.0.0:4444", "tcp:other:4444" },
		{ "ssh://root@[fd00::2]:2222", "tcp:[::]:1", "tcp:[fd00::2]:1" },
		{ "ssh://[fe80::2%eth0]:22", "tcp:[::]:1", "tcp:[fe80::2%eth0]:1" },
		{ "ssh://[fd00::2]", "tcp:0.0.0.0:1", "tcp:[fd00::2]:1" },
		{ "ssh://root@other", "tcp:10.0.0.2:4444", "tcp:10.0.0.2:4444" },
		{ "unix:/run/b@c/control", "tcp:0.0.0.0:4444", "tcp:127.0.0.1:4444" },
	};
	char uri[64];

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		assert_int_equal(
			us_migration_reach(cases[i].destination, cases[i].uri, uri, sizeof(uri)),
			0);
		assert_string_equal(uri, cases[i].expected);
	}
}

static void test_only_tcp(void **state)
{
	char uri[16];

	assert_int_equal(us_migration_reach("ssh://b c", "tcp:0.0.0.0:1", uri, sizeof(uri)),
			 -EBADMSG);

	assert_int_equal(us_migration_reach("ssh://b", "exec:true", uri, sizeof(uri)), -EBADMSG);
	assert_int_equal(us_migration_reach("ssh://b", "", uri, sizeof(uri)), -EBADMSG);
	assert_int_equal(us_migration_reach("ssh://b", "tcp:192.0.2.77:4444", uri, sizeof(uri)),
			 -EBADMSG); /* cut, it would be another */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_only_tcp),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
