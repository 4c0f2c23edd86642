/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts of the prober's records, by the definitions of probe.h, and delays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/traffic/probe-private.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define RECORDS 20000
#define BEGIN_USEC (100 * US_USEC_PER_SEC)
#define MSEC US_USEC_PER_MSEC

/* The client's time @msec after the begin of the probe. */
static uint64_t at(uint64_t msec)
{
	return BEGIN_USEC + msec * MSEC;
}

static int setup(void **state)
{
	struct us_lab_probe *probe = calloc(1, sizeof(*probe));

	probe->report_interval_usec = 1000;
	probe->sent_usec = calloc(RECORDS, sizeof(*probe->sent_usec));
	probe->arrived = calloc(RECORDS, sizeof(*probe->arrived));
	probe->delay_usec = calloc(RECORDS, sizeof(*probe->delay_usec));
	probe->arrivals = calloc(RECORDS, sizeof(*probe->arrivals));
	probe->log = calloc(RECORDS, sizeof(*probe->log));
	*state = probe;
	return 0;
}

static int teardown(void **state)
{
	struct us_lab_probe *probe = *state;

	free(probe->sent_usec);
	free(probe->arrived);
	free(probe->delay_usec);
	free(probe->arrivals);
	free(probe->log);
	free(probe);
	return 0;
}

/* One frame each millisecond, number n at at(n). */
static void send_frames(struct us_lab_probe *probe, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		probe->sent++;
		probe->sent_usec[probe->sent] = at(probe->sent);
	}
}

static void arrive(struct us_lab_probe *probe, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++)
		probe->arrived[seq] = 1;
}

static void hear(struct us_lab_probe *probe, unsigned session, uint32_t seq, uint64_t time_usec)
{
	probe->arrivals[probe->arrivals_count++] = (struct us_lab_probe_arrival){
		.time_usec = time_usec, .seq = seq, .session = session
	};
}

static void boot(struct us_lab_probe *probe, uint64_t id, uint64_t first, uint64_t last)
{
	probe->sessions[probe->sessions_count++] =
		(struct us_lab_probe_session){ .id = id, .first = first, .last = last };
}

static void losses_to_the_guest(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_count count;

	send_frames(probe, 100);
	boot(probe, 1, 1, 100);
	arrive(probe, 1, 39);
	arrive(probe, 50, 100);

	us_lab_probe_count_to_guest(probe, at(0), at(200), &count);
	assert_int_equal(count.sent, 100);
	assert_int_equal(count.lost, 10);
	assert_int_equal(count.longest_gap_usec, 11 * MSEC);

	/* A frame counts when it was sent, a gap when it began. */
	us_lab_probe_count_to_guest(probe, at(0), at(45), &count);
	assert_int_equal(count.sent, 44);
	assert_int_equal(count.lost, 5);
	assert_int_equal(count.longest_gap_usec, 11 * MSEC);
	us_lab_probe_count_to_guest(probe, at(45), at(200), &count);
	assert_int_equal(count.sent, 56);
	assert_int_equal(count.lost, 5);
	assert_int_equal(count.longest_gap_usec, 1 * MSEC);
}

static void a_boot_is_not_a_loss(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_count count;

	send_frames(probe, 100);
	boot(probe, 1, 1, 20);
	boot(probe, 2, 81, 90);
	arrive(probe, 1, 20);
	arrive(probe, 81, 90);

	/* No beacon ran from 21 to 80. After 90 one ran, and received nothing. */
	us_lab_probe_count_to_guest(probe, at(0), at(200), &count);
	assert_int_equal(count.sent, 40);
	assert_int_equal(count.lost, 10);
	assert_int_equal(count.longest_gap_usec, 10 * MSEC);
}

static void odd_frames_count_with_the_newest(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_count count;

	send_frames(probe, 100);
	boot(probe, 1, 1, 100);
	arrive(probe, 1, 100);
	probe->odd[probe->odd_count++] = (struct us_lab_probe_odd){ 60, 2, 3 };

	us_lab_probe_count_to_guest(probe, at(0), at(60), &count);
	assert_int_equal(count.duplicated + count.reordered, 0);
	us_lab_probe_count_to_guest(probe, at(60), at(200), &count);
	assert_int_equal(count.duplicated, 2);
	assert_int_equal(count.reordered, 3);
}

static void losses_from_the_guest(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_count count;

	send_frames(probe, 100);
	boot(probe, 1, 1, 100);
	for (uint32_t seq = 1; seq <= 100; seq++) {
		if (seq > 20 && seq <= 40)
			continue;
		hear(probe, 0, seq, at(seq));
		if (seq == 50)
			hear(probe, 0, 35, at(seq)); /* late */
		if (seq == 60)
			hear(probe, 0, 60, at(seq)); /* again */
	}

	us_lab_probe_count_from_guest(probe, at(0), at(200), &count);
	assert_int_equal(count.sent, 100);
	assert_int_equal(count.lost, 19);
	assert_int_equal(count.reordered, 1);
	assert_int_equal(count.duplicated, 1);
	assert_int_equal(count.longest_gap_usec, 21 * MSEC);

	/* The missing frames were sent at the regular interval. */
	us_lab_probe_count_from_guest(probe, at(0), at(31), &count);
	assert_int_equal(count.lost, 10);
	us_lab_probe_count_from_guest(probe, at(31), at(200), &count);
	assert_int_equal(count.lost, 9);
	assert_int_equal(count.longest_gap_usec, 1 * MSEC);
}

static void silence_at_the_end_is_a_gap(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_count count;

	send_frames(probe, 100);
	boot(probe, 1, 1, 100);
	for (uint32_t seq = 1; seq <= 30; seq++)
		hear(probe, 0, seq, at(seq));

	us_lab_probe_count_from_guest(probe, at(0), at(200), &count);
	assert_int_equal(count.lost, 0);
	assert_int_equal(count.longest_gap_usec, 70 * MSEC);
}

/* A guest whose clock has an offset, is 200 ppm too fast, and stops with its VM. */
#define STOP_MSEC 4000
#define RESUME_MSEC 4700
#define DELAY_USEC 300

static uint64_t guest_clock(uint64_t client_usec)
{
	uint64_t ran_usec = client_usec - BEGIN_USEC;

	if (client_usec >= at(RESUME_MSEC))
		ran_usec -= (RESUME_MSEC - STOP_MSEC) * MSEC;
	else if (client_usec > at(STOP_MSEC))
		ran_usec = STOP_MSEC * MSEC;
	return 7 * US_USEC_PER_SEC + ran_usec + ran_usec / 5000;
}

/* The time of arrival of frame @seq. A stopped VM receives it half a second later. */
static uint64_t arrival_usec(uint64_t seq)
{
	if (seq == 2000)
		return at(seq) + 50 * MSEC;
	if (seq >= STOP_MSEC && seq < RESUME_MSEC)
		return at(RESUME_MSEC) + 500 * MSEC;
	return at(seq) + DELAY_USEC;
}

static void run_for_9_seconds(struct us_lab_probe *probe)
{
	send_frames(probe, 9000);
	boot(probe, 1, 1, 9000);
	arrive(probe, 1, 9000);
	for (uint64_t seq = 1; seq <= 9000; seq++)
		probe->log[probe->log_count++] =
			(struct us_lab_probe_entry){ seq, guest_clock(arrival_usec(seq)) };
	for (uint64_t msec = 1; msec <= 9000; msec++) {
		if (msec >= STOP_MSEC && msec <= RESUME_MSEC)
			continue;
		hear(probe, 0, msec, at(msec) + DELAY_USEC);
		probe->arrivals[probe->arrivals_count - 1].guest_usec = guest_clock(at(msec));
	}
}

/* The expected value: the delay plus the smallest one of the other direction. */
static void assert_delay(const struct us_lab_probe *probe, uint64_t seq)
{
	int64_t truth_usec = arrival_usec(seq) - at(seq) + DELAY_USEC;

	assert_in_range(probe->delay_usec[seq] + 1000, truth_usec - 300 + 1000,
			truth_usec + 300 + 1000);
}

static void delays_with_two_clocks(void **state)
{
	struct us_lab_probe *probe = *state;
	const uint64_t pause_usec = at(STOP_MSEC);
	struct us_lab_probe_delay delay;

	run_for_9_seconds(probe);
	us_lab_probe_settle(probe, &pause_usec, 1);
	for (uint64_t seq = 1; seq <= 9000; seq++)
		assert_delay(probe, seq);

	us_lab_probe_delay_to_guest(probe, at(1000), at(3000), &delay);
	assert_int_equal(delay.frames, 2000);
	assert_in_range(delay.p50_usec, 300, 900);
	assert_in_range(delay.worst_usec, 50 * MSEC, 51 * MSEC);
	us_lab_probe_delay_to_guest(probe, at(STOP_MSEC + 1), at(RESUME_MSEC), &delay);
	assert_in_range(delay.p99_usec, 1190 * MSEC, 1200 * MSEC);
	us_lab_probe_delay_from_guest(probe, at(0), at(9100), &delay);
	assert_in_range(delay.worst_usec, 0, 300);
}

static void without_a_log_there_is_no_delay(void **state)
{
	struct us_lab_probe *probe = *state;
	struct us_lab_probe_delay delay;

	run_for_9_seconds(probe);
	probe->log_count = 0;
	us_lab_probe_settle(probe, NULL, 0);
	us_lab_probe_delay_to_guest(probe, at(0), at(9100), &delay);
	assert_int_equal(delay.frames, 0);

	/* The log of another boot gives no delays. */
	probe->log_count = 9000;
	probe->sessions[0].first = 5;
	us_lab_probe_settle(probe, NULL, 0);
	us_lab_probe_delay_to_guest(probe, at(0), at(9100), &delay);
	assert_int_equal(delay.frames, 0);
}

static void a_pause_is_between_arrivals(void **state)
{
	struct us_lab_probe *probe = *state;
	uint64_t pause_usec;

	send_frames(probe, 100);
	for (uint64_t seq = 1; seq <= 100; seq++)
		probe->delay_usec[seq] = seq >= 60 && seq < 70 ? US_LAB_PROBE_NO_DELAY : 0;
	/* Buffered until at(40): all frames arrive then. */
	for (uint64_t seq = 20; seq < 40; seq++)
		probe->delay_usec[seq] = (40 - seq) * MSEC;

	assert_true(us_lab_probe_pause_to_guest(probe, at(0), at(200), &pause_usec));
	assert_int_equal(pause_usec, 21 * MSEC);
	assert_true(us_lab_probe_pause_to_guest(probe, at(50), at(200), &pause_usec));
	assert_int_equal(pause_usec, 11 * MSEC);

	/* A guest that receives nothing any more. */
	for (uint64_t seq = 70; seq <= 100; seq++)
		probe->delay_usec[seq] = US_LAB_PROBE_NO_DELAY;
	assert_true(us_lab_probe_pause_to_guest(probe, at(50), at(200), &pause_usec));
	assert_int_equal(pause_usec, 41 * MSEC);

	for (uint64_t seq = 1; seq <= 100; seq++)
		probe->delay_usec[seq] = US_LAB_PROBE_NO_DELAY;
	assert_false(us_lab_probe_pause_to_guest(probe, at(0), at(200), &pause_usec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(losses_to_the_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_boot_is_not_a_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_frames_count_with_the_newest, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_from_the_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_at_the_end_is_a_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(delays_with_two_clocks, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_log_there_is_no_delay, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pause_is_between_arrivals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
