/* SPDX-License-Identifier: BSD-3-Clause */
/* The lab's life: up, down, what is there, and a shell in it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/ctl.h"
#include "lab/world/machine.h"
#include "lab/world/proc.h"
#include "lab/vm/vm.h"

static const char *daemon_record(enum us_lab_host host, char buffer[40])
{
	snprintf(buffer, 40, "%s-understudyd", us_lab_host_name(host));
	return buffer;
}

void us_lab_end(struct us_lab *lab)
{
	us_lab_process_end_all(lab, "");
	us_lab_net_down(lab);
}

void us_lab_end_run(struct us_lab *lab)
{
	char record[40];

	if (lab->options.hosts != US_LAB_HOST_KIND_MACHINE) {
		us_lab_end(lab);
		return;
	}
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		snprintf(record, sizeof(record), "%s-qemu", us_lab_host_name(host));
		us_lab_process_end(lab, record);
		us_lab_process_end(lab, daemon_record(host, record));
	}
	us_lab_machine_fetch_logs(lab);
}

void us_lab_down(struct us_lab *lab)
{
	const char *const remove[] = { "rm", "-rf", "--", lab->dir, NULL };

	us_lab_end(lab);
	us_lab_process_run(lab, NULL, remove);
}

void us_lab_lock_path(const struct us_lab *lab, char path[160])
{
	snprintf(path, 160, "%s.lock", lab->dir);
}

void us_lab_remove(struct us_lab *lab)
{
	char path[160];

	us_lab_down(lab);
	us_lab_lock_path(lab, path);
	unlink(path);
}

bool us_lab_is_up(const struct us_lab *lab)
{
	bool is_up = us_lab_net_is_up(lab);
	char record[40];

	for (int host = 0; is_up && host < US_LAB_HOSTS; host++)
		is_up = us_lab_process_is_alive(lab, daemon_record(host, record), NULL);
	return is_up;
}

static int up_hosts(struct us_lab *lab, struct us_reason *reason)
{
	int r;

	us_lab_down(lab);
	r = us_lab_directories(lab);
	if (!r)
		r = us_lab_image_prepare(lab, reason);
	if (!r)
		r = us_lab_net_up(lab, reason);
	if (!r && lab->options.hosts == US_LAB_HOST_KIND_MACHINE)
		r = us_lab_machine_boot(lab, reason);
	return r;
}

int us_lab_up(struct us_lab *lab, struct us_reason *reason)
{
	bool needs_daemons = !lab->transient || lab->options.manager == US_LAB_MANAGER_UNDERSTUDY;
	bool are_machines_up = lab->transient && us_lab_machine_is_up(lab);
	int r;

	if (are_machines_up)
		us_lab_end_run(lab);
	r = are_machines_up ? us_lab_image_prepare(lab, reason) : up_hosts(lab, reason);
	if (!r && lab->options.hosts == US_LAB_HOST_KIND_MACHINE)
		r = us_lab_machine_reset(lab, reason);
	for (int host = 0; !r && needs_daemons && host < US_LAB_HOSTS; host++)
		r = us_lab_daemon_start(lab, host, reason);
	return r;
}

int us_lab_guest_up(struct us_lab *lab, struct us_reason *reason)
{
	const struct us_lab_net_nic *nic = &us_lab_net_nics[0];
	char qmp[200], spec[100];
	const char *const attach[] = { "vm", "attach", "web", "--qmp", qmp, NULL };
	const char *const pair[] = { "pair",	   "add",    nic->pair,
				     "--vm",	   "web",    "--standby",
				     nic->standby, "--port", nic->standby_port,
				     "--primary",  spec,     NULL };
	struct us_vm *vm = calloc(1, sizeof(*vm));
	int r = -ENOMEM;

	lab->options.manager = US_LAB_MANAGER_UNDERSTUDY; /* whoever managed the last run */
	us_lab_vm_qmp_path(lab, US_LAB_HOST_A, qmp);
	us_lab_model_spec(&lab->options, 0, spec);
	if (vm)
		r = us_lab_vm_start(vm, lab, NULL, &(struct us_lab_vm_options){ .nics = 1 }, reason);
	if (!r)
		r = us_lab_cli_run(lab, US_LAB_HOST_A, attach, NULL, reason);
	if (!r)
		r = us_lab_cli_run(lab, US_LAB_HOST_A, pair, NULL, reason);
	if (vm)
		us_lab_vm_disown(vm);
	free(vm);
	return r;
}

void us_lab_guest_down(struct us_lab *lab)
{
	static const char *const detach[] = { "vm", "detach", "web", NULL };
	char record[40];

	for (int host = 0; host < US_LAB_HOSTS; host++) {
		snprintf(record, sizeof(record), "%s-qemu", us_lab_host_name(host));
		if (!us_lab_process_is_alive(lab, record, NULL))
			continue;
		us_lab_cli_run(lab, host, detach, NULL, NULL);
		us_lab_process_end(lab, record);
	}
}

void us_lab_status(const struct us_lab *lab)
{
	static const char *const records[] = { "host-a-understudyd", "host-a-qemu",
					       "host-b-understudyd", "host-b-qemu" };
	char path[200];
	pid_t pid;

	printf("%s: %s\n", lab->options.name, us_lab_is_up(lab) ? "up" : "not up");
	for (size_t i = 0; i < US_ARRAY_LENGTH(records); i++)
		if (us_lab_process_is_alive(lab, records[i], &pid))
			printf("  %-20s pid %d\n", records[i], pid);
	if (!us_lab_is_up(lab))
		return;
	for (int host = 0; host < US_LAB_HOSTS; host++) {
		us_lab_daemon_socket(lab, host, path);
		printf("  on %s: %s -H unix:%s status\n", us_lab_host_name(host), lab->cli, path);
	}
}

static int shell_guest(const struct us_lab *lab, struct us_reason *reason)
{
	char path[200], connect[220], record[40];

	for (int host = US_LAB_HOSTS - 1; host >= 0; host--) {
		snprintf(record, sizeof(record), "%s-qemu", us_lab_host_name(host));
		if (!us_lab_process_is_alive(lab, record, NULL))
			continue;
		us_lab_vm_console_path(lab, host, path);
		snprintf(connect, sizeof(connect), "UNIX-CONNECT:%s", path);
		printf("The guest's console; Ctrl-] leaves it.\n");
		execlp("socat", "socat", "STDIO,raw,echo=0,escape=0x1d", connect, (char *)NULL);
		return us_refuse(reason, "needs socat: install Debian's package socat");
	}
	return us_refuse(reason, "no guest runs: raise the lab with understudy-lab up");
}

int us_lab_shell(const struct us_lab *lab, const char *place, struct us_reason *reason)
{
	const char *shell = getenv("SHELL") ?: "/bin/sh";
	char netns[64], prompt[100], path[200];
	sigset_t none;

	if (!us_lab_net_is_up(lab))
		return us_refuse(reason, "%s is not up: understudy-lab up", lab->options.name);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!strcmp(place, "guest"))
		return shell_guest(lab, reason);
	if (strcmp(place, "host-a") && strcmp(place, "host-b") && strcmp(place, "client"))
		return us_refuse(reason, "no place %s: choose host-a, host-b, client or guest",
				 place);
	if (us_lab_is_machine(lab, place)) {
		us_lab_machine_connection_path(lab, place, path);
		execlp("ssh", "ssh", "-F/dev/null", "-qS", path, "-oProxyCommand=false", "machine",
		       (char *)NULL);
		return -errno;
	}
	snprintf(prompt, sizeof(prompt), "%s# ", us_lab_net_namespace(lab, place, netns));
	setenv("PS1", prompt, 1);
	execlp("ip", "ip", "netns", "exec", netns, shell, (char *)NULL);
	return -errno;
}
