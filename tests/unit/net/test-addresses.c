/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses of a guest are kept, and what replaces them. */
#include <string.h>
#include <sys/socket.h>

#include "net/frame/addresses.h"
#include "net/frame/frame.h"
#include "support/testbed.h"

static struct us_addresses addresses;

static int setup(void **state)
{
	addresses = (struct us_addresses){ .mac = { 2, 0, 0, 0, 0, 1 } };
	return 0;
}

/* An IPv4 packet from the guest: a hint, because the guest may route it. */
static void hint(uint8_t last)
{
	uint8_t frame[60] = { [6] = 2, [11] = 1, [12] = 8, [14] = 0x45 };

	memcpy(frame + 26, (uint8_t[]){ 192, 0, 2, last }, 4);
	us_addresses_learn(&addresses, frame, sizeof(frame));
}

static void certain(uint8_t last)
{
	uint8_t frame[US_FRAME_MAX];

	us_addresses_learn(
		&addresses, frame,
		us_frame_arp_announcement(frame, addresses.mac, (uint8_t[]){ 192, 0, 2, last }));
}

/* The last bytes of the IPv4 addresses. */
static void assert_ipv4(const char *expected)
{
	for (size_t i = 0; i < US_ADDRESSES_IPV4_MAX; i++) {
		assert_int_equal(addresses.known[i].family, i < strlen(expected) ? AF_INET : 0);
		assert_int_equal(addresses.known[i].bytes[3],
				 i < strlen(expected) ? expected[i] : 0);
	}
}

static void test_hints_replace_hints(void **state)
{
	for (const char *last = "abcd"; *last; last++)
		hint(*last);
	hint('b'); /* known */
	assert_ipv4("abcd");
	hint('e');
	assert_ipv4("ebcd");
	hint('f');
	assert_ipv4("efcd");
}

static void test_certain_addresses_stay(void **state)
{
	certain('A');
	for (const char *last = "bcdefghi"; *last; last++)
		hint(*last);
	assert_int_equal(addresses.known[0].bytes[3], 'A');
	for (const char *last = "BCD"; *last; last++)
		certain(*last);
	certain('E'); /* no room */
	hint('f');
	for (size_t i = 0; i < US_ADDRESSES_IPV4_MAX; i++)
		assert_true(addresses.known[i].bytes[3] >= 'A' &&
			    addresses.known[i].bytes[3] <= 'D');
}

static void test_a_hint_becomes_certain(void **state)
{
	hint('a');
	assert_false(addresses.known[0].is_certain);
	certain('a');
	assert_true(addresses.known[0].is_certain);
	assert_ipv4("a");
}

static void test_text_of_a_guests_address_only(void **state)
{
	static const char *const refused[] = {
		"",	      "192.0.2",     "0.0.0.1", "127.0.0.1", "224.0.0.1",
		"192.0.2.1 ", "2001:db8::1", "ff02::1", "fe80::",    "::1",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(us_addresses_add(&addresses, refused[i]));
	assert_true(us_addresses_add(&addresses, "192.0.2.97"));
	assert_true(us_addresses_add(&addresses, "fe80::1"));
	assert_ipv4("a");
	assert_true(addresses.known[0].is_certain &&
		    addresses.known[US_ADDRESSES_IPV4_MAX].is_certain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hints_replace_hints, setup),
		cmocka_unit_test_setup(test_certain_addresses_stay, setup),
		cmocka_unit_test_setup(test_a_hint_becomes_certain, setup),
		cmocka_unit_test_setup(test_text_of_a_guests_address_only, setup),
	};

	return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
