/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts and ends QEMU, and speaks QMP with it. See vm.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world/machine.h"
#include "lab/world/proc.h"
#include "lab/vm/vm.h"
#include "lab/vm/vm-private.h"
#include "util/clock.h"

#define START_TIMEOUT_USEC (60 * US_USEC_PER_SEC)
#define COMMAND_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

static void on_event(struct us_vm *vm, json_t *message, const char *name)
{
	json_int_t seconds = 0, usec = 0;
	const char *device = NULL, *status = NULL, *cause = NULL;
	char detail[200];

	json_unpack(message, "{s:{s:I,s:I}}", "timestamp", "seconds", &seconds, "microseconds",
		    &usec);
	json_unpack(message, "{s:{s?s,s?s,s?s}}", "data", "device", &device, "status", &status,
		    "reason", &cause);
	/* An unplugged virtio device says so twice, the second time without its name. */
	if (!strcmp(name, "DEVICE_DELETED") && !device)
		return;
	snprintf(detail, sizeof(detail), "%s",
		 device	  ? device
		 : status ? status
		 : cause  ? cause
			  : "");
	us_lab_timeline_add(
		vm->timeline,
		us_lab_machine_to_our_time(vm->lab, vm->options.host, seconds * US_USEC_PER_SEC + usec),
		us_lab_host_name(vm->options.host), "qemu", name, detail, message);
}

static void on_message(void *userdata, char *text, size_t length)
{
	struct us_vm *vm = userdata;
	json_t *message = json_loadb(text, length, 0, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));

	if (json_object_get(message, "QMP"))
		vm->ready = true;
	else if (event && vm->timeline)
		on_event(vm, message, event);
	else if (json_integer_value(json_object_get(message, "id")) == vm->command_id)
		vm->reply = json_incref(message);
	json_decref(message);
}

static void on_closed(void *userdata, int error)
{
	struct us_vm *vm = userdata;

	us_stream_free(US_STEAL(vm->monitor));
	if (vm->timeline)
		us_lab_timeline_add(vm->timeline, us_clock_usec(CLOCK_REALTIME),
				us_lab_host_name(vm->options.host), "lab", "QEMU ended", "", NULL);
}

static bool is_ready(void *userdata)
{
	struct us_vm *vm = userdata;

	return vm->ready || !vm->monitor;
}

static bool is_answered(void *userdata)
{
	struct us_vm *vm = userdata;

	return vm->reply || !vm->monitor;
}

int us_lab_vm_command(struct us_vm *vm, const char *command, json_t *arguments, json_t **ret_reply,
		  struct us_reason *reason)
{
	json_t *request = json_pack("{s:s,s:I,s:o*}", "execute", command, "id", ++vm->command_id,
				    "arguments", arguments),
	       *reply;
	US_CLEANUP(us_freep) char *text = json_dumps(request, JSON_COMPACT);
	const char *words = NULL;
	int r = -ENOTCONN;

	json_decref(request);
	if (vm->monitor)
		r = us_stream_send(vm->monitor, text, strlen(text));
	if (!r)
		r = us_lab_wait(vm->lab, is_answered, vm, COMMAND_TIMEOUT_USEC);
	if (r)
		return us_refuse(reason, "QEMU on %s does not answer %s: %s",
				 us_lab_host_name(vm->options.host), command, us_strerror(r));
	reply = US_STEAL(vm->reply);
	json_unpack(reply, "{s:{s:s}}", "error", "desc", &words);
	if (!reply || words)
		r = us_refuse(reason, "QEMU on %s refused %s: \"%s\"",
			      us_lab_host_name(vm->options.host), command,
			      words ? words : "it ended");
	else if (ret_reply)
		*ret_reply = json_incref(json_object_get(reply, "return"));
	json_decref(reply);
	return r;
}

static int refuse_start(const struct us_vm *vm, int r, struct us_reason *reason)
{
	const char *host = us_lab_host_name(vm->options.host);

	return us_refuse(reason, "QEMU did not start on %s (%s): see %s/%s-qemu.log", host,
			 us_strerror(r), vm->lab->dir, host);
}

static int greet(struct us_vm *vm, struct us_reason *reason)
{
	json_t *events =
		json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability", "events", "state", 1);
	int r;

	r = us_lab_wait(vm->lab, is_ready, vm, START_TIMEOUT_USEC);
	if (!r && !vm->monitor)
		r = -ECHILD;
	if (r)
		return refuse_start(vm, r, reason);
	r = us_lab_vm_command(vm, "qmp_capabilities", NULL, NULL, reason);
	if (!r)
		r = us_lab_vm_command(vm, "migrate-set-capabilities", events, NULL, reason);
	return r;
}

static void record_name(enum us_lab_host host, char name[40])
{
	snprintf(name, 40, "%s-qemu", us_lab_host_name(host));
}

int us_lab_vm_start(struct us_vm *vm, struct us_lab *lab, struct us_lab_timeline *timeline,
		const struct us_lab_vm_options *options, struct us_reason *reason)
{
	static const struct us_stream_handler handler = { on_message, on_closed };
	struct us_lab_vm_arguments arguments = {};
	struct us_lab_process_spec spec = { .argv = arguments.argv, .stdout_fd = -1 };
	int ours = -1, r;
	char record[40];
	pid_t pid;

	*vm = (struct us_vm){
		.lab = lab, .timeline = timeline, .options = *options, .console = -1
	};
	r = us_lab_vm_monitor_open(vm, &ours, &spec.extra_fd);
	if (r)
		return r;
	us_lab_vm_arguments(&arguments, vm);
	record_name(options->host, record);
	spec.place = us_lab_host_name(options->host);
	spec.record = record;
	r = us_lab_process_spawn(lab, &spec, &pid);
	us_close(spec.extra_fd);
	if (r) {
		us_close(ours);
		return r;
	}
	vm->started = true;
	r = us_lab_vm_monitor_connect(vm, ours, pid, &ours);
	if (r)
		return refuse_start(vm, r, reason);
	r = us_stream_new(&vm->monitor, lab->loop, ours, '\n',
			  (struct us_stream_limits){ 1 << 20, 1 << 20 }, &handler, vm);
	if (!r)
		r = greet(vm, reason);
	return r ? r : us_lab_vm_console_open(vm);
}

void us_lab_vm_disown(struct us_vm *vm)
{
	us_stream_free(US_STEAL(vm->monitor));
	us_lab_vm_console_close(vm);
	json_decref(US_STEAL(vm->reply));
	vm->started = false;
}

void us_lab_vm_stop(struct us_vm *vm)
{
	char record[40];

	if (!vm->started)
		return;
	us_lab_vm_disown(vm);
	record_name(vm->options.host, record);
	us_lab_process_end(vm->lab, record);
}
