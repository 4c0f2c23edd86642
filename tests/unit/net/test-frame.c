/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames, byte by byte, and truncated answers of rtnetlink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink/decode.h"
#include "net/frame/frame.h"

static const uint8_t port[6] = { 0xfe, 0x54, 0, 0xaa, 0xbb, 0xcc };
static const uint8_t guest[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

/* RFC 1071: the sum over a message with a correct checksum is all ones. */
static void assert_icmpv6_checksum(const uint8_t *frame, size_t length)
{
	uint32_t sum = 58 + (length - 54);

	for (size_t i = 22; i < length; i += 2)
		sum += frame[i] << 8 | frame[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static const uint8_t host[4] = { 198, 51, 100, 4 };

static void test_arp_probe(void **state)
{
	static const uint8_t expected[] = {
		0x52, 0x54, 0, 0x12, 0x34, 0x56, 0xfe, 0x54, 0,	   0xaa, 0xbb, 0xcc, 0x08, 0x06,
		0,    1,    8, 0,    6,	   4,	 0,    1,    0xfe, 0x54, 0,    0xaa, 0xbb, 0xcc,
		0,    0,    0, 0,    0,	   0,	 0,    0,    0,	   0,	 192,  0,    2,	   7,
	};
	uint8_t frame[US_FRAME_MAX];

	assert_int_equal(
		us_frame_arp_probe(frame, port, guest, port, (const uint8_t[]){ 192, 0, 2, 7 }),
		sizeof(expected));
	assert_memory_equal(frame, expected, sizeof(expected));
}

static void test_solicitation(void **state)
{
	static const uint8_t source[16] = { 0xfe, 0x80, [8] = 0xfc, 0x54, 0,
					    0xff, 0xfe, 0xaa,	    0xbb, 0xcc };
	uint8_t frame[US_FRAME_MAX], target[16];

	us_frame_link_local(guest, target);
	assert_int_equal(us_frame_solicitation(frame, port, guest, source, target), 86);
	assert_memory_equal(frame, guest, 6);
	assert_memory_equal(frame + 22, source, 16);
	assert_memory_equal(frame + 38, target, 16);
	assert_int_equal(frame[54], 135);
	assert_memory_equal(frame + 62, target, 16);
	assert_memory_equal(frame + 80, port, 6);
	assert_icmpv6_checksum(frame, 86);
}

static void test_echo(void **state)
{
	uint8_t frame[US_FRAME_MAX];

	assert_int_equal(us_frame_echo(frame, port, guest), 62);
	assert_memory_equal(frame, guest, 6);
	assert_memory_equal(frame + 38, ((uint8_t[16]){ 0xff, 2, [15] = 1 }), 16);
	assert_int_equal(frame[54], 128);
	assert_icmpv6_checksum(frame, 62);
}

/* Nothing is learned from a truncated frame. */
static void test_learn_needs_all_of_it(void **state)
{
	uint8_t frame[US_FRAME_MAX];
	struct us_frame_address address;
	size_t length =
		us_frame_arp_probe(frame, port, guest, port, (const uint8_t[]){ 192, 0, 2, 7 });

	memcpy(frame + 32, guest, 6);
	assert_true(us_frame_learn(frame, length, guest, &address));
	assert_true(address.family == AF_INET && !address.is_certain && address.bytes[3] == 7);
	assert_false(us_frame_learn(frame, length, port, &address)); /* sender 0.0.0.0 */
	for (size_t cut = 0; cut < length; cut++)
		assert_false(us_frame_learn(frame, cut, guest, &address));
}

static void test_learn_only_what_is_its_own(void **state)
{
	static const uint8_t group[4] = { 224, 0, 0, 1 };
	uint8_t frame[US_FRAME_MAX] = { [12] = 8, 0, 0x45 };
	struct us_frame_address address;

	memcpy(frame, port, 6);
	memcpy(frame + 6, guest, 6);
	memcpy(frame + 26, host, 4);
	memcpy(frame + 30, group, 4);
	assert_true(us_frame_learn(frame, 34, guest, &address));
	assert_false(address.is_certain);
	assert_memory_equal(address.bytes, host, 4);
	assert_false(us_frame_learn(frame, 34, port, &address)); /* to a group */
	assert_false(us_frame_learn(frame, 34, (const uint8_t[6]){ 2 }, &address));

	us_frame_echo(frame, guest, port);
	assert_true(us_frame_learn(frame, 62, guest, &address) && address.family == AF_INET6);
	assert_false(us_frame_learn(frame, 62, port, &address)); /* to all nodes */
}

/* Our probes are unicast and have no sender address; others' requests differ. */
static void test_arp_probe_is_known(void **state)
{
	uint8_t frame[US_FRAME_MAX];
	size_t length = us_frame_arp_probe(frame, port, guest, port, host);

	assert_true(us_frame_is_arp_probe(frame, length));
	assert_false(us_frame_is_arp_probe(frame, length - 1));
	frame[28] = 192; /* from somebody */
	assert_false(us_frame_is_arp_probe(frame, length));
	us_frame_arp_announcement(frame, port, host);
	assert_false(us_frame_is_arp_probe(frame, length));
	us_frame_rarp(frame, port);
	assert_false(us_frame_is_arp_probe(frame, length));
}

static void test_arp_answer_is_known(void **state)
{
	uint8_t frame[US_FRAME_MAX];
	size_t length = us_frame_arp_probe(frame, guest, port, guest, host);

	assert_false(us_frame_is_arp_answer(frame, length, guest, port));
	frame[21] = 2;
	memset(frame + 38, 0, 4);
	assert_true(us_frame_is_arp_answer(frame, length, guest, port));
	assert_false(us_frame_is_arp_answer(frame, length, port, guest));
	assert_false(us_frame_is_arp_answer(frame, length - 1, guest, port));
	frame[38] = 192; /* to somebody */
	assert_false(us_frame_is_arp_answer(frame, length, guest, port));
}

/* The kernel's text, and malformed errors. */
static void test_decode_error(void **state)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		struct nlattr attribute;
		char text[8];
	} message = { .head = { .nlmsg_len = sizeof(message),
				.nlmsg_type = NLMSG_ERROR,
				.nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS },
		      .error = { .error = -EOPNOTSUPP },
		      .attribute = { 12, NLMSGERR_ATTR_MSG },
		      .text = "no, no" };
	char words[5];

	assert_int_equal(us_decode_error(&message.head, words, sizeof(words)), -EOPNOTSUPP);
	assert_string_equal(words, "no, ");
	message.attribute.nla_len = 13;
	assert_int_equal(us_decode_error(&message.head, words, sizeof(words)), -EOPNOTSUPP);
	assert_string_equal(words, "");
	message.error.error = 5;
	assert_int_equal(us_decode_error(&message.head, words, sizeof(words)), -EBADMSG);
	message.head.nlmsg_len = 20;
	assert_int_equal(us_decode_error(&message.head, words, sizeof(words)), -EBADMSG);
}

static void test_whole(void **state)
{
	struct nlmsghdr message = { .nlmsg_len = 37 };

	assert_true(us_decode_is_whole(&message, 40));
	assert_false(us_decode_is_whole(&message, 39)); /* the padding is incomplete */
	message.nlmsg_len = 15;
	assert_false(us_decode_is_whole(&message, 40));
	message.nlmsg_len = UINT32_MAX;
	assert_false(us_decode_is_whole(&message, 40));
	message.nlmsg_len = 16;
	assert_true(us_decode_is_whole(&message, 16));
	assert_false(us_decode_is_whole(&message, 15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_probe),
		cmocka_unit_test(test_solicitation),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_learn_needs_all_of_it),
		cmocka_unit_test(test_learn_only_what_is_its_own),
		cmocka_unit_test(test_arp_probe_is_known),
		cmocka_unit_test(test_arp_answer_is_known),
		cmocka_unit_test(test_decode_error),
		cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
