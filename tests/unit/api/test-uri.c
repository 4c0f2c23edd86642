/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/uri.h"
#include "util/cleanup.h"

static void test_ssh(void **state)
{
	static const struct {
		const char *text, *user, *host;
		unsigned port;
		bool is_ipv6;
	} cases[] = {
		{ "ssh://b", "", "b", 0, false },
		{ "ssh://root@host-b.example.org", "root", "host-b.example.org", 0, false },
		{ "ssh://b:2222", "", "b", 2222, false },
		{ "ssh://me@10.0.0.2:65535", "me", "10.0.0.2", 65535, false },
		{ "ssh://[fd00::2]", "", "fd00::2", 0, true },
		{ "ssh://a_b.c-d@[::1]:1", "a_b.c-d", "::1", 1, true },
		{ "ssh://[fe80::1%eth0.5]:22", "", "fe80::1%eth0.5", 22, true },
		{ "ssh://[::ffff:10.0.0.1]", "", "::ffff:10.0.0.1", 0, true },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct us_uri uri;
		struct us_reason reason = { .text = "" };

		assert_int_equal(us_uri_parse(cases[i].text, &uri, &reason), 0);
		assert_int_equal(uri.type, US_URI_SSH);
		assert_string_equal(uri.user, cases[i].user);
		assert_string_equal(uri.host, cases[i].host);
		assert_int_equal(uri.port, cases[i].port);
		assert_int_equal(uri.is_ipv6, cases[i].is_ipv6);
	}
}

static void test_unix(void **state)
{
	char text[200] = "unix:";
	struct us_uri uri;

	assert_int_equal(us_uri_parse("unix:/run/b@c:1/[control]", &uri, NULL), 0);
	assert_int_equal(uri.type, US_URI_UNIX);
	assert_string_equal(uri.path, "/run/b@c:1/[control]");
	memset(text + 5, 'x', 107);
	assert_int_equal(us_uri_parse(text, &uri, NULL), 0);
	assert_int_equal(strlen(uri.path), 107);
	text[112] = 'x';
	assert_int_equal(us_uri_parse(text, &uri, NULL), US_REFUSED);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"b",
		"unix:",
		"ssh:b",
		"SSH://b",
		"ssh://",
		"ssh://@b",
		"ssh://root@",
		"ssh://-oProxyCommand=x",
		"ssh://root@-oX",
		"ssh://-l@b",
		"ssh://a@b@c",
		"ssh://a b",
		"ssh://b\n",
		"ssh://b/path",
		"ssh://b;reboot",
		"ssh://$(reboot)",
		"ssh://`reboot`",
		"ssh://b,tls-creds=x",
		"ssh://b%0a",
		"ssh://\xc3\xa9",
		"ssh://root:secret@b",
		"ssh://b:",
		"ssh://b:0",
		"ssh://b:65536",
		"ssh://b:99999999999999999999",
		"ssh://b:+1",
		"ssh://b: 1",
		"ssh://b:22x",
		"ssh://b:-1",
		"ssh://:22",
		"ssh://fd00::2",
		"ssh://fd00::2:22",
		"ssh://[]",
		"ssh://[fd00::2",
		"ssh://[b]",
		"ssh://[10.0.0.1]",
		"ssh://[fd00::2]x",
		"ssh://[fd00::2]22",
		"ssh://[fd00::2]:",
		"ssh://[-oX]",
		"ssh://[fe80::1%]",
		"ssh://[fe80::1%-x]",
		"ssh://[fe80::1%a b]",
		"ssh://[fe80::1%a%b]",
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(bad); i++) {
		struct us_uri uri;
		struct us_reason reason = { .text = "" };

		if (us_uri_parse(bad[i], &uri, &reason) != US_REFUSED)
			fail_msg("%s was taken", bad[i]);
		assert_string_not_equal(reason.text, "");
	}
}

static void test_what_is_too_long(void **state)
{
	char text[600] = "ssh://";
	struct us_uri uri;

	memset(text + 6, 'b', 255);
	assert_int_equal(us_uri_parse(text, &uri, NULL), 0);
	text[6 + 255] = 'b';
	assert_int_equal(us_uri_parse(text, &uri, NULL), US_REFUSED);
	text[6 + 64] = '@';
	assert_int_equal(us_uri_parse(text, &uri, NULL), US_REFUSED);
	text[6 + 63] = '@';
	text[6 + 64] = 'b';
	assert_int_equal(us_uri_parse(text, &uri, NULL), 0);
	assert_int_equal(strlen(uri.user), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_is_too_long),
	};

	return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
