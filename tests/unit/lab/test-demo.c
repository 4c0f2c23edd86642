/* SPDX-License-Identifier: BSD-3-Clause */
/* The output of the demo: the line of progress, the summary, and the small picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/report/summary.h"
#include "lab/campaign/progress.h"
#include "lab/report/svg.h"
#include "util/cleanup.h"

static void a_line_of_progress_fits(void **state)
{
	char line[100];

	us_progress_format(line, sizeof(line), 80, "Demo 1/4: preparing QEMU", "downloading it", 7);
	assert_string_equal(line, "Demo 1/4: preparing QEMU: downloading it (7 s)");
	us_progress_format(line, sizeof(line), 80, "Demo 1/4: preparing QEMU", "", 7);
	assert_string_equal(line, "Demo 1/4: preparing QEMU (7 s)");
	us_progress_format(line, sizeof(line), 40, "Demo 1/4: preparing QEMU", "downloading it",
			   123);
	assert_string_equal(line, "Demo 1/4: preparing QEMU: downlo (123 s)");
	us_progress_format(line, sizeof(line), 24, "Demo 1/4: preparing QEMU", "downloading", 7);
	assert_string_equal(line, "Demo 1/4: preparing QEMU");
	us_progress_format(line, sizeof(line), 10, "Demo 1/4: preparing QEMU", "downloading", 7);
	assert_string_equal(line, "Demo 1/4: ");
	/* The output of a program must not move the cursor. */
	us_progress_format(line, sizeof(line), 80, "Demo", "a\033[2Jb\tc→", 0);
	assert_string_equal(line, "Demo: a?[2Jb?c??? (0 s)");
	/* A long line stays within its buffer. */
	us_progress_format(line, 20, 400, "Demo 1/4: preparing QEMU", "downloading", 7);
	assert_string_equal(line, "Demo 1/4: preparing");
}

/* tests/integration/demo tests the line on a terminal. */
static void without_a_terminal_each_step_is_a_line(void **state)
{
	struct us_progress *progress;
	char text[200];
	int pipes[2];
	ssize_t length;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(us_progress_new(&progress, pipes[1], NULL, false), 0);
	us_progress_step(progress, 1, 2, "preparing QEMU");
	us_progress_detail(progress, "downloading it");
	us_progress_step(progress, 2, 2, "migrating");
	us_progress_free(progress);
	close(pipes[1]);
	length = read(pipes[0], text, sizeof(text) - 1);
	assert_true(length >= 0);
	text[length] = 0;
	assert_string_equal(text, "Demo 1/2: preparing QEMU\nDemo 2/2: migrating\n");
	close(pipes[0]);
}

static void numbers_are_easy_to_read(void **state)
{
	json_t *ms[] = { json_real(79.01), json_real(999.6), json_real(2712.4), json_null() };
	static const char *const texts[] = { "79 ms", "1.0 s", "2.7 s", "unknown" };
	char text[32];

	for (size_t i = 0; i < US_ARRAY_LENGTH(ms); i++) {
		assert_string_equal(us_summary_duration(ms[i], text), texts[i]);
		json_decref(ms[i]);
	}
	assert_string_equal(us_summary_count(0, text), "0");
	assert_string_equal(us_summary_count(999, text), "999");
	assert_string_equal(us_summary_count(1000, text), "1,000");
	assert_string_equal(us_summary_count(1234567, text), "1,234,567");
}

static json_t *event(double time_ms, const char *host, const char *name, const char *detail)
{
	return json_pack("{s:f,s:s,s:s,s:s}", "time_ms", time_ms, "host", host, "event", name,
			 "detail", detail);
}

static json_t *events_of(const char *manager)
{
	bool is_qemu = !strcmp(manager, "qemu");

	return json_pack("[o,o,o,o,o]", event(900, "host-a", "STOP", ""),
			 is_qemu ? event(1300, "host-a", "MIGRATION", "active")
				 : event(1300, "host-a", "DEVICE_DELETED", "web0"),
			 event(1700, "host-a", "STOP", ""), event(1750, "host-b", "RESUME", ""),
			 is_qemu ? event(1749, "host-b", "FAILOVER_NEGOTIATED", "")
				 : event(1755, "host-b", "move", "web0: hidden → exposing, path"));
}

static json_t *report(const char *manager, const char *verdict, int lost)
{
	json_t *report = json_pack(
		"{s:s,s:s,s:s,s:i,s:f,s:{s:s},s:[{s:s,s:f,s:f,s:{s:i,s:i,s:i,s:f},s:{s:i,s:i,s:i,s:"
		"f}}]}",
		"manager", manager, "verdict", verdict, "primary", "vmxnet3", "rate", 1000,
		"stop_to_resume_ms", 50.4, "versions", "qemu",
		"QEMU emulator version 10.0.13 (Debian 1:10.0.13)", "transitions", "transition",
		"migrate", "begin_ms", 1000.0, "duration_ms", 2000.0, "to_guest", "sent", 4050,
		"lost", lost, "duplicated", 2, "longest_pause_ms", 542.2, "from_guest", "sent",
		4013, "lost", 5, "duplicated", 0, "longest_pause_ms", 83.0);

	json_object_set_new(report, "events", events_of(manager));
	json_object_set_new(report, "frames",
			    json_pack("[{s:{s:[i,i,i,i],s:[i,i,i,i],s:[[i,i,i]]}}]", "to_guest",
				      "times", 9000, 11000, 18000, 25000, "delays", 15, 15, 54000,
				      15, "lost", 17010, 17900, lost));
	return report;
}

static char *summary(const json_t *reports)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	us_summary_print(file, reports);
	fclose(file);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void both_runs_stand_side_by_side(void **state)
{
	json_t *reports =
		json_pack("[o,o]", report("understudy", "pass", 0), report("qemu", "pass", 1095));
	US_CLEANUP(us_freep) char *text = summary(reports);

	assert_has(text, "QEMU is 10.0.13.");
	assert_has(text, "an emulated vmxnet3");
	assert_has(text,
		   "\n  lost                                       0                 1,095\n");
	assert_has(text,
		   "\n  longest pause                         542 ms                542 ms\n");
	assert_has(text,
		   "\nGuest stopped for                        50 ms                 50 ms\n");
	assert_null(strstr(text, "INVALID"));
	json_decref(reports);
}

static void an_invalid_run_has_no_numbers(void **state)
{
	json_t *reports = json_pack("[o]", report("understudy", "invalid", 77));
	char *text;

	json_object_set_new(json_array_get(reports, 0), "invalid", json_string("kernel panic"));
	text = summary(reports);
	assert_has(text,
		   "\n  lost                                 invalid               not run\n");
	assert_has(text, "The run with Understudy is INVALID and proves nothing: kernel panic\n");
	assert_null(strstr(text, "77"));
	free(text);
	json_decref(reports);
}

static void a_failed_run_has_its_reason(void **state)
{
	json_t *reports = json_pack("[o]", report("understudy", "fail", 3));
	char *text;

	json_object_set_new(json_array_get(reports, 0), "failures",
			    json_pack("[s]", "3 frames to the guest were lost"));
	text = summary(reports);
	assert_has(text, "The run with Understudy FAILED:\n  3 frames to the guest were lost\n");
	free(text);
	json_decref(reports);
}

static char *picture(const json_t *reports)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	us_svg_draw(file, reports);
	fclose(file);
	return text;
}

static void the_picture_shows_the_values_of_the_reports(void **state)
{
	json_t *reports =
		json_pack("[o,o]", report("understudy", "pass", 0), report("qemu", "pass", 1095));
	US_CLEANUP(us_freep) char *text = picture(reports);

	assert_true(us_svg_is_possible(reports));
	assert_has(text, ">0 of 4,050 frames to the guest lost<");
	assert_has(text, ">1,095 of 4,050 frames to the guest lost<");
	assert_has(text, "pause 542 ms");
	assert_has(text, "prefers-color-scheme:dark");
	assert_has(text, "QEMU 10.0.13");
	/* From 0.701 to 0.790 s after the command to migrate, of -0.4 to 2 s. */
	assert_has(text, "<rect class='lost' x='451.1' y='368' width='26.9' height='84'/>");
	assert_has(text, "</svg>\n");
	json_decref(reports);
}

static void reports_that_cannot_be_compared_are_not_drawn(void **state)
{
	json_t *reports[] = {
		json_pack("[o]", report("understudy", "pass", 0)),
		json_pack("[o,o]", report("qemu", "pass", 1), report("qemu", "pass", 1)),
		json_pack("[o,o]", report("understudy", "invalid", 0), report("qemu", "pass", 1)),
		json_pack("[o,o]", report("understudy", "pass", 0), report("qemu", "pass", 1)),
		json_array(),
	};

	json_object_del(json_array_get(reports[3], 1), "frames");
	for (size_t i = 0; i < US_ARRAY_LENGTH(reports); i++) {
		US_CLEANUP(us_freep) char *text = picture(reports[i]);

		assert_false(us_svg_is_possible(reports[i]));
		assert_string_equal(text, "");
		json_decref(reports[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_progress_fits),
		cmocka_unit_test(without_a_terminal_each_step_is_a_line),
		cmocka_unit_test(numbers_are_easy_to_read),
		cmocka_unit_test(both_runs_stand_side_by_side),
		cmocka_unit_test(an_invalid_run_has_no_numbers),
		cmocka_unit_test(a_failed_run_has_its_reason),
		cmocka_unit_test(the_picture_shows_the_values_of_the_reports),
		cmocka_unit_test(reports_that_cannot_be_compared_are_not_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
