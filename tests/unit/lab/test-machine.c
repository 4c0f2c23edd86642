/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell at the other end of ssh runs a command for a host machine unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/world/machine-command.h"

static const struct us_lab lab = { .options.hosts = US_LAB_HOST_KIND_MACHINE, .dir = "/run/lab" };

static void arguments_arrive_unchanged(void **state)
{
	const char *const argv[] = { "printf", "%s|", "a b", "it's", "$HOME `id` \\ \"", "", NULL };
	const char *ssh[US_LAB_MACHINE_ARGUMENTS];
	char buffer[US_LAB_MACHINE_COMMAND], output[100] = "";
	FILE *shell;

	us_lab_machine_command(&lab, "host-a", NULL, argv, ssh, buffer);
	shell = popen(ssh[7], "r");
	assert_non_null(fgets(output, sizeof(output), shell));
	assert_int_equal(pclose(shell), 0);
	assert_string_equal(output, "a b|it's|$HOME `id` \\ \"||");
}

static void a_command_uses_the_connection(void **state)
{
	const char *const argv[] = { "true", NULL };
	const char *ssh[US_LAB_MACHINE_ARGUMENTS];
	char buffer[US_LAB_MACHINE_COMMAND];

	us_lab_machine_command(&lab, "host-b", "host-b-qemu", argv, ssh, buffer);
	assert_string_equal(ssh[0], "ssh");
	assert_string_equal(ssh[4], "/run/lab/host-b.ssh");
	assert_string_equal(ssh[7], "exec understudy-host-run host-b-qemu 'true' ");
	assert_null(ssh[8]);
}

static void only_hosts_are_machines(void **state)
{
	const struct us_lab namespaces = { .options.hosts = US_LAB_HOST_KIND_NETNS };

	assert_true(us_lab_is_machine(&lab, "host-a"));
	assert_false(us_lab_is_machine(&lab, "client"));
	assert_false(us_lab_is_machine(&lab, NULL));
	assert_false(us_lab_is_machine(&namespaces, "host-a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_arrive_unchanged),
		cmocka_unit_test(a_command_uses_the_connection),
		cmocka_unit_test(only_hosts_are_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
