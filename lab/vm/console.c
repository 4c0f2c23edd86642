/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's serial console: its output, and the shell that runs commands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/vm/vm-private.h"
#include "util/clock.h"
#include "util/unix-socket.h"

static void forget(struct us_lab_vm *vm, size_t size)
{
	memmove(vm->output, vm->output + size, vm->output_size - size + 1);
	vm->output_size -= size;
}

static void on_kernel(void *userdata, const char *line)
{
	struct us_lab_vm *vm = userdata;
	const struct us_lab_vm_event event = { .time_usec = us_clock_usec(CLOCK_REALTIME),
					       .host = vm->options.host,
					       .source =
						       vm->kernel.is_rebooting ? "reboot" : "guest",
					       .name = "kernel",
					       .detail = line };

	if (vm->on_event)
		vm->on_event(vm->userdata, &event);
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct us_lab_vm *vm = userdata;
	ssize_t n;

	if (vm->output_size > sizeof(vm->output) / 2)
		forget(vm, vm->output_size - sizeof(vm->output) / 4);
	n = read(fd, vm->output + vm->output_size, sizeof(vm->output) - vm->output_size - 1);
	if (n <= 0 && (n == 0 || errno != EAGAIN)) {
		us_lab_vm_console_close(vm);
		return 0;
	}
	if (n > 0)
		us_lab_kernel_crash_feed(&vm->kernel, vm->output + vm->output_size, n, on_kernel,
					 vm);
	/* Firmware may write any byte; a NUL must not hide the text after it. */
	for (ssize_t i = 0; i < n; i++)
		if (!vm->output[vm->output_size + i])
			vm->output[vm->output_size + i] = ' ';
	vm->output_size += n > 0 ? n : 0;
	vm->output[vm->output_size] = 0;
	return 0;
}

int us_lab_vm_console_open(struct us_lab_vm *vm)
{
	char path[200];
	int r;

	us_lab_host_path(vm->lab, vm->options.host, US_LAB_SOCKET_CONSOLE, path);
	r = us_connect_unix(path, &vm->console);
	return r ? r
	       : sd_event_add_io(vm->lab->loop, &vm->console_source, vm->console, EPOLLIN,
				 on_output, vm) < 0
		       ? -ENOMEM
		       : 0;
}

void us_lab_vm_console_close(struct us_lab_vm *vm)
{
	vm->console_source = sd_event_source_disable_unref(vm->console_source);
	vm->console = us_close(vm->console);
}

struct awaited {
	struct us_lab_vm *vm;
	const char *text;
};

static bool has_printed(void *userdata)
{
	struct awaited *awaited = userdata;

	return strstr(awaited->vm->output, awaited->text) || awaited->vm->console < 0;
}

int us_lab_vm_console_expect(struct us_lab_vm *vm, const char *text, uint64_t timeout_usec)
{
	struct awaited awaited = { vm, text };
	int r = us_lab_wait(vm->lab, has_printed, &awaited, timeout_usec);
	const char *found = strstr(vm->output, text);

	if (r || !found)
		return r ? r : -EPIPE;
	forget(vm, found + strlen(text) - vm->output);
	return 0;
}

void us_lab_vm_guest_type(struct us_lab_vm *vm, const char *command)
{
	if (dprintf(vm->console, "%s\n", command) < 0)
		us_lab_vm_console_close(vm);
}

void us_lab_vm_guest_reboot(struct us_lab_vm *vm)
{
	vm->kernel.is_rebooting = true;
	us_lab_vm_guest_type(vm, "killall -9 beacon; reboot -f");
}

/* The shell echoes its input. The quotes make the echo differ from the answer. */
int us_lab_vm_guest_run(struct us_lab_vm *vm, const char *command, uint64_t timeout_usec)
{
	char line[1000], answer[40];
	int r;

	snprintf(line, sizeof(line), "%s; echo lab'-'%u:$?:", command, ++vm->guest_commands);
	snprintf(answer, sizeof(answer), "lab-%u:", vm->guest_commands);
	us_lab_vm_guest_type(vm, line);
	r = us_lab_vm_console_expect(vm, answer, timeout_usec);
	if (!r)
		r = us_lab_wait(vm->lab, has_printed, &(struct awaited){ vm, ":" }, timeout_usec);
	return r ? r : atoi(vm->output);
}
