/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/access.h"
#include "lab/world/life.h"
#include "lab/world/machine-command.h"
#include "lab/world/net.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

void us_lab_print_status(const struct us_lab *lab)
{
	static const char *const records[] = { "host-a-understudyd", "host-a-qemu",
					       "host-b-understudyd", "host-b-qemu" };
	char path[US_LAB_PATH];
	pid_t pid;

	printf("%s: %s\n", lab->options.name, us_lab_is_up(lab) ? "up" : "not up");
	for (size_t i = 0; i < US_ARRAY_LENGTH(records); i++)
		if (us_lab_process_is_alive(lab, records[i], &pid))
			printf("  %-20s pid %d\n", records[i], pid);
	if (!us_lab_is_up(lab))
		return;
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		us_lab_host_path(lab, host, US_LAB_SOCKET_DAEMON, path);
		printf("  on %s: %s -H unix:%s status\n", us_lab_host_name(host), lab->programs.cli,
		       path);
	}
}

static int shell_guest(const struct us_lab *lab, struct us_reason *reason)
{
	char path[200], connect[220], record[40];

	for (int host = US_LAB_HOSTS - 1; host >= 0; host--) {
		us_lab_host_record(host, US_LAB_RECORD_QEMU, record);
		if (!us_lab_process_is_alive(lab, record, NULL))
			continue;
		us_lab_host_path(lab, host, US_LAB_SOCKET_CONSOLE, path);
		snprintf(connect, sizeof(connect), "UNIX-CONNECT:%s", path);
		printf("The guest's console; Ctrl-] leaves it.\n");
		execlp("socat", "socat", "STDIO,raw,echo=0,escape=0x1d", connect, (char *)NULL);
		us_refuse(reason, "needs socat");
		return us_advise(reason, "install Debian's package socat");
	}
	us_refuse(reason, "no guest runs");
	return us_advise(reason, "raise the lab with understudy-lab up");
}

int us_lab_enter(const struct us_lab *lab, const char *place, struct us_reason *reason)
{
	const char *shell = getenv("SHELL") ?: "/bin/sh";
	char netns[64], prompt[100], path[200];
	sigset_t none;

	if (!us_lab_net_is_up(lab)) {
		us_refuse(reason, "%s is not up", lab->options.name);
		return us_advise(reason, "run understudy-lab up");
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!strcmp(place, "guest"))
		return shell_guest(lab, reason);
	if (strcmp(place, "host-a") && strcmp(place, "host-b") && strcmp(place, "client")) {
		us_refuse(reason, "no place %s", place);
		return us_advise(reason, "choose host-a, host-b, client or guest");
	}
	if (us_lab_is_machine(lab, place)) {
		us_lab_machine_connection_path(lab, place, path);
		execlp("ssh", "ssh", "-F/dev/null", "-qS", path, "-oProxyCommand=false", "machine",
		       (char *)NULL);
		return -errno;
	}
	snprintf(prompt, sizeof(prompt), "%s# ", us_lab_namespace(lab, place, netns));
	setenv("PS1", prompt, 1);
	execlp("ip", "ip", "netns", "exec", netns, shell, (char *)NULL);
	return -errno;
}
