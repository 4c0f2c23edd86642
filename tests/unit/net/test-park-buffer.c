/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of parked frames, their bounds, and the account of their memory. */
#include "net/park/park-buffer.h"
#include "support/testbed.h"

enum {
	LENGTH = 104, /* a multiple of 8: nothing is lost by alignment */
};

static bool append_of(struct us_park_buffer *buffer, bool is_earlier, uint8_t number,
		      uint32_t length)
{
	struct us_parked_frame *frame = us_park_buffer_room(buffer, is_earlier);

	assert_non_null(frame);
	frame->length = length;
	frame->weight = 1;
	frame->bytes[0] = number;
	frame->bytes[length - 1] = number;
	return us_park_buffer_append(buffer, is_earlier, frame);
}

static bool append(struct us_park_buffer *buffer, bool is_earlier, uint8_t number)
{
	return append_of(buffer, is_earlier, number, LENGTH);
}

static void assert_order(const struct us_park_buffer *buffer, const char *expected)
{
	const struct us_parked_frame *frame;
	struct us_park_cursor cursor = { 0 };

	while ((frame = us_park_buffer_next(buffer, &cursor))) {
		assert_int_equal(frame->bytes[0], *expected);
		assert_int_equal(frame->bytes[frame->length - 1], *expected++);
	}
	assert_int_equal(*expected, '\0');
}

static void test_earlier_frames_go_first(void **state)
{
	struct us_park_buffer buffer;

	us_park_buffer_init(&buffer, &(struct us_park_limits){ 0 });
	assert_order(&buffer, "");
	append(&buffer, false, 'c');
	assert_order(&buffer, "c");
	append(&buffer, true, 'a');
	append(&buffer, false, 'd');
	append(&buffer, true, 'b');
	assert_order(&buffer, "abcd");
	for (const char *rest = "bcd"; *rest; rest++) {
		us_park_buffer_drop(&buffer);
		assert_order(&buffer, rest);
	}
	append(&buffer, true, 'a');
	assert_order(&buffer, "ad");
	us_park_buffer_deinit(&buffer);
}

static void test_bounds(void **state)
{
	const size_t size = sizeof(struct us_parked_frame) + LENGTH;
	const struct us_park_limits few = { .frames = 2 }, small = { .bytes = 3 * size + 1 };
	struct us_park_buffer buffer;

	us_park_buffer_init(&buffer, &few);
	assert_true(append(&buffer, false, 'a') && append(&buffer, false, 'b'));
	assert_false(append(&buffer, false, 'c'));
	assert_int_equal(buffer.overflowed, 1);
	us_park_buffer_drop(&buffer);
	assert_true(append(&buffer, false, 'c'));
	assert_order(&buffer, "bc");
	assert_int_equal(buffer.total, 3);
	assert_int_equal(buffer.total_bytes, 3 * LENGTH);
	assert_int_equal(buffer.frames_max, 2);
	us_park_buffer_deinit(&buffer);

	us_park_buffer_init(&buffer, &small);
	for (int i = 0; i < 3; i++)
		assert_true(append(&buffer, false, 'a'));
	assert_false(append(&buffer, false, 'a'));
	us_park_buffer_deinit(&buffer);
}

/* More than one chunk of memory in each log, used again and again; and frames of all lengths. */
static void test_long_frames(void **state)
{
	struct us_park_buffer buffer;

	us_park_buffer_init(&buffer, &(struct us_park_limits){ 0 });
	for (int round = 0; round < 5; round++) {
		for (const char *each = "1223334444"; *each; each++)
			assert_true(append_of(&buffer, true, *each, US_PARK_FRAME_MAX - *each % 2));
		for (const char *each = "6789"; *each; each++)
			assert_true(append_of(&buffer, false, *each, US_PARK_FRAME_MAX / 2));
		assert_order(&buffer, "12233344446789");
		for (const char *rest = "2233344446789"; *rest; rest++) {
			us_park_buffer_drop(&buffer);
			assert_order(&buffer, rest);
		}
		us_park_buffer_drop(&buffer);
		assert_order(&buffer, "");
		assert_int_equal(buffer.bytes + buffer.weight + buffer.frames, 0);
	}
	append_of(&buffer, true, 'a', US_PARK_FRAME_MAX);
	us_park_buffer_deinit(&buffer);
	us_park_buffer_deinit(&buffer);
}

static void test_budget_is_shared(void **state)
{
	const size_t size = sizeof(struct us_parked_frame) + LENGTH;
	struct us_park_budget budget = { .limit = 3 * size };
	const struct us_park_limits limits = { .budget = &budget };
	struct us_park_buffer one, other;

	us_park_buffer_init(&one, &limits);
	us_park_buffer_init(&other, &limits);
	assert_true(append(&one, false, 'a') && append(&one, false, 'b'));
	assert_true(append(&other, false, 'a'));
	assert_false(append(&other, false, 'b'));
	assert_true(budget.overflowed == 1 && other.overflowed == 1 && one.overflowed == 0);
	us_park_buffer_deinit(&one);
	assert_int_equal(budget.used, size);
	assert_true(append(&other, false, 'b'));
	us_park_buffer_deinit(&other);
	assert_int_equal(budget.used, 0);
	assert_int_equal(budget.used_max, 3 * size);
}

static void test_weight_of_a_segmentation_offload(void **state)
{
	struct virtio_net_hdr header = { .gso_size = 1448 };

	assert_int_equal(us_park_weight(&header, 60000), 1);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	assert_int_equal(us_park_weight(&header, 60000), 42);
	header.gso_size = 0;
	assert_int_equal(us_park_weight(&header, 60000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_earlier_frames_go_first),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_long_frames),
		cmocka_unit_test(test_budget_is_shared),
		cmocka_unit_test(test_weight_of_a_segmentation_offload),
	};

	return cmocka_run_group_tests_name("park-buffer", tests, NULL, NULL);
}
