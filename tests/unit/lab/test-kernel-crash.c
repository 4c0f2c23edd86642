/* SPDX-License-Identifier: BSD-3-Clause */
/* Which console lines are reported as a kernel's crash, however the console splits them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/world/kernel-crash.h"
#include "util/cleanup.h"

struct heard {
	char lines[20][240];
	unsigned count;
};

static void on_line(void *userdata, const char *line)
{
	struct heard *heard = userdata;

	snprintf(heard->lines[heard->count++ % 20], 240, "%s", line);
}

static void a_crash_is_recognized_by_its_message(void **state)
{
	static const char *const dying[] = {
		"[   12.345678] Kernel panic - not syncing: sysrq triggered crash",
		"[    9.105531] list_del corruption. prev->next should be ffff888, but was 0",
		"[   35.9] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [beacon:97]",
		"[  140.2] INFO: task sh:91 blocked for more than 120 seconds.",
		"[    7.1] Oops: 0000 [#1] PREEMPT SMP PTI",
		"[    7.1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
		"[    7.1] Unable to handle kernel paging request at virtual address 00ff",
		"[   22.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
		"[    3.0] kernel BUG at lib/list_debug.c:56!",
	};
	static const char *const alive[] = {
		"guest: ready",
		"[    1.5] virtio_net virtio0 eth0: failover master:eth0 registered",
		"[    2.0] WARNING: CPU: 0 PID: 1 at kernel/irq/manage.c:1899",
		"[    2.1] e1000e 0000:04:00.0 eth2: NIC Link is Up 1000 Mbps Full Duplex",
		"lab-3:0:",
		"",
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(dying); i++)
		assert_true(us_lab_kernel_has_crashed(dying[i]));
	for (size_t i = 0; i < US_ARRAY_LENGTH(alive); i++)
		assert_false(us_lab_kernel_has_crashed(alive[i]));
}

static void a_crash_is_reported_from_its_first_line_on(void **state)
{
	static const char said[] =
		"guest: ready\r\n/ # \r\n[1.0] Oops: 0000\r\n[1.1] RIP: 0010\r\n";
	struct us_lab_kernel_crash watch = {};
	struct heard heard = {};

	for (size_t i = 0; i < sizeof(said) - 1; i++)
		us_lab_kernel_crash_feed(&watch, said + i, 1, on_line, &heard);
	assert_int_equal(heard.count, 2);
	assert_string_equal(heard.lines[0], "[1.0] Oops: 0000");
	assert_string_equal(heard.lines[1], "[1.1] RIP: 0010");
}

static void long_reports_are_cut(void **state)
{
	struct us_lab_kernel_crash watch = {};
	struct heard heard = {};
	char flood[4096];

	memset(flood, 'x', sizeof(flood));
	memcpy(flood, "\033[31mOops: \0 ", 13);
	us_lab_kernel_crash_feed(&watch, flood, sizeof(flood), on_line, &heard);
	assert_int_equal(heard.count, 0);
	for (int i = 0; i < 100; i++)
		us_lab_kernel_crash_feed(&watch, "\n more", 6, on_line, &heard);
	assert_int_equal(heard.count, US_LAB_KERNEL_CRASH_LINES);
	assert_int_equal(strlen(heard.lines[0]), sizeof(watch.line) - 1);
	assert_memory_equal(heard.lines[0], " [31mOops:   xx", 15);
}

/* Its last messages are reported, and the next kernel is judged anew. */
static void a_kernel_that_reboots_is_judged_by_the_next_one(void **state)
{
	static const char last[] = "[4.5] kernel BUG at vmxnet3_drv.c:1867!\n[4.6] RIP: 0010\n";
	static const char next[] = "guest: ready\n/ # \n[1.0] Oops: 0000\n";
	struct us_lab_kernel_crash crash = { .is_rebooting = true };
	struct heard heard = {};

	us_lab_kernel_crash_feed(&crash, last, strlen(last), on_line, &heard);
	assert_int_equal(heard.count, 2);
	assert_true(crash.is_rebooting);
	us_lab_kernel_crash_feed(&crash, next, strlen(next), on_line, &heard);
	assert_false(crash.is_rebooting);
	assert_int_equal(heard.count, 3);
	assert_string_equal(heard.lines[2], "[1.0] Oops: 0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_is_recognized_by_its_message),
		cmocka_unit_test(a_crash_is_reported_from_its_first_line_on),
		cmocka_unit_test(long_reports_are_cut),
		cmocka_unit_test(a_kernel_that_reboots_is_judged_by_the_next_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
