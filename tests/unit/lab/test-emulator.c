/* SPDX-License-Identifier: BSD-3-Clause */
/* Which QEMU runs the guests, by the versions that the programs print. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/world/emulator.h"
#include "lab/world/process.h"

static const struct us_lab_platform q35 = { .name = "q35", .qemu = "host-qemu" };
static const char *host_version;
static unsigned prepared;

/* Replaces processes: the host's QEMU, an old one, and the one that make-qemu prepares. */
char *us_lab_process_read(const struct us_lab *lab, const char *place, const char *const argv[])
{
	char text[100];

	if (strstr(argv[0], "make-qemu")) {
		assert_string_equal(argv[2], q35.qemu);
		prepared++;
		return strdup("/cache/qemu\n");
	}
	assert_string_equal(argv[1], "--version");
	if (strcmp(argv[0], "none") == 0)
		return NULL;
	snprintf(text, sizeof(text), "QEMU emulator version %s (Debian)\nCopyright\n",
		 strcmp(argv[0], "host-qemu") == 0 ? host_version
		 : strcmp(argv[0], "old") == 0	   ? "8.2.9"
						   : "10.0.13");
	return strdup(text);
}

char *us_lab_process_read_line(const struct us_lab *lab, const char *place,
			       const char *const argv[])
{
	char *text = us_lab_process_read(lab, place, argv);

	if (text)
		text[strcspn(text, "\n")] = 0;
	return text;
}

static struct us_lab lab_of(const char *version, const char *qemu)
{
	host_version = version;
	prepared = 0;
	return (struct us_lab){ .options = { .machine = &q35, .accel = "tcg", .qemu = qemu },
				.output = stdout,
				.programs.guest_data = "/data" };
}

static void an_old_qemu_is_replaced_for_migrations_only(void **state)
{
	struct us_lab lab = lab_of("7.2.22", NULL);
	struct us_reason reason;

	assert_int_equal(us_lab_emulator_choose(&lab, false, &reason), 0);
	assert_string_equal(lab.emulator.program, "host-qemu");
	assert_int_equal(us_lab_emulator_choose(&lab, true, &reason), 0);
	assert_string_equal(lab.emulator.program, "/cache/qemu");
	assert_int_equal(prepared, 1);
	assert_string_equal(lab.emulator.why_unsound, "");
}

static void a_sound_qemu_and_kvm_are_used(void **state)
{
	struct us_lab lab = lab_of("9.0.0", NULL);
	struct us_reason reason;

	assert_int_equal(us_lab_emulator_choose(&lab, true, &reason), 0);
	assert_string_equal(lab.emulator.program, "host-qemu");
	lab = lab_of("7.2.22", NULL);
	lab.options.accel = "kvm";
	assert_int_equal(us_lab_emulator_choose(&lab, true, &reason), 0);
	assert_string_equal(lab.emulator.program, "host-qemu");
	assert_int_equal(prepared, 0);
	assert_string_equal(lab.emulator.why_unsound, "");
}

static void an_unsound_qemu_option_is_refused(void **state)
{
	struct us_lab lab = lab_of("10.0.13", "old");
	struct us_reason reason;

	assert_int_equal(us_lab_emulator_choose(&lab, true, &reason), US_REFUSED);
	assert_non_null(strstr(reason.text, "8.2.9"));
	assert_non_null(strstr(reason.text, "--allow-unsound"));
	assert_int_equal(us_lab_emulator_choose(&lab, false, &reason), 0);

	lab.options.allows_unsound = true;
	assert_int_equal(us_lab_emulator_choose(&lab, true, &reason), 0);
	assert_string_equal(lab.emulator.program, "old");
	assert_non_null(strstr(lab.emulator.why_unsound, "8.2.9"));
}

static void a_program_that_is_no_qemu_is_refused(void **state)
{
	struct us_lab lab = lab_of("10.0.13", "none");
	char version[32];
	struct us_reason reason;

	assert_int_equal(us_lab_emulator_choose(&lab, false, &reason), US_REFUSED);
	assert_int_equal(us_lab_emulator_parse_version("QEMU emulator version 11.1.3", version),
			 11);
	assert_string_equal(version, "11.1.3");
	assert_int_equal(us_lab_emulator_parse_version("bash 5.2.15", version), -EBADMSG);
	assert_int_equal(us_lab_emulator_parse_version("", version), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_qemu_is_replaced_for_migrations_only),
		cmocka_unit_test(a_sound_qemu_and_kvm_are_used),
		cmocka_unit_test(an_unsound_qemu_option_is_refused),
		cmocka_unit_test(a_program_that_is_no_qemu_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
