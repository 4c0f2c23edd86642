/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/vm/domain.h"
#include "lab/vm/vm-private.h"
#include "lab/world/life.h"
#include "lab/world/machine.h"
#include "lab/world/process.h"
#include "lab/world/socket.h"
#include "util/clock.h"
#include "util/unix-socket.h"

#define START_TIMEOUT_USEC (60 * US_USEC_PER_SEC)
#define ARRIVAL_USEC (10 * US_USEC_PER_MSEC)
#define COMMAND_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

static void on_event(struct us_lab_vm *vm, json_t *message, const char *name)
{
	json_int_t seconds = 0, usec = 0;
	const char *device = NULL, *status = NULL, *cause = NULL;
	struct us_lab_vm_event event = {
		.host = vm->options.host, .source = "qemu", .name = name, .data = message
	};

	json_unpack(message, "{s:{s:I,s:I}}", "timestamp", "seconds", &seconds, "microseconds",
		    &usec);
	json_unpack(message, "{s:{s?s,s?s,s?s}}", "data", "device", &device, "status", &status,
		    "reason", &cause);
	/* QEMU reports the unplug of a virtio device twice, the second time without its name. */
	if (!strcmp(name, "DEVICE_DELETED") && !device)
		return;
	event.time_usec = us_lab_machine_to_our_time(vm->lab, vm->options.host,
						     seconds * US_USEC_PER_SEC + usec);
	event.detail = device ?: status ?: cause ?: "";
	vm->on_event(vm->userdata, &event);
}

static void on_message(void *userdata, char *text, size_t length)
{
	struct us_lab_vm *vm = userdata;
	json_t *message = json_loadb(text, length, 0, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));

	if (json_object_get(message, "QMP"))
		vm->is_ready = true;
	else if (event && vm->on_event)
		on_event(vm, message, event);
	else if (json_integer_value(json_object_get(message, "id")) == vm->command_id)
		vm->reply = json_incref(message);
	json_decref(message);
}

static void on_closed(void *userdata, int error)
{
	struct us_lab_vm *vm = userdata;
	const struct us_lab_vm_event event = { .time_usec = us_clock_usec(CLOCK_REALTIME),
					       .host = vm->options.host,
					       .source = "lab",
					       .name = "QEMU ended",
					       .detail = "" };

	us_stream_free(US_STEAL(vm->monitor));
	if (vm->on_event)
		vm->on_event(vm->userdata, &event);
}

static const struct us_stream_handler monitor_handler = { on_message, on_closed };

static bool is_ready(void *userdata)
{
	struct us_lab_vm *vm = userdata;

	return vm->is_ready || !vm->monitor;
}

static bool is_answered(void *userdata)
{
	struct us_lab_vm *vm = userdata;

	return vm->reply || !vm->monitor;
}

int us_lab_vm_command(struct us_lab_vm *vm, const char *command, json_t *arguments,
		      json_t **ret_reply, struct us_reason *reason)
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

static int refuse_start(const struct us_lab_vm *vm, int r, struct us_reason *reason)
{
	const char *host = us_lab_host_name(vm->options.host);

	us_refuse(reason, "QEMU did not start on %s: %s", host, us_strerror(r));
	return us_advise(reason, "see %s/%s-qemu.log", vm->lab->dir, host);
}

static int greet(struct us_lab_vm *vm, struct us_reason *reason)
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

int us_lab_vm_new(struct us_lab_vm **ret_vm, struct us_lab *lab, us_lab_vm_event_fn on_event_fn,
		  void *userdata)
{
	struct us_lab_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return -ENOMEM;
	*vm = (struct us_lab_vm){
		.lab = lab,
		.on_event = on_event_fn,
		.userdata = userdata,
		.console = -1,
		.listener = -1,
	};
	*ret_vm = vm;
	return 0;
}

struct us_lab_vm *us_lab_vm_free(struct us_lab_vm *vm)
{
	if (vm)
		us_lab_vm_stop(vm);
	free(vm);
	return NULL;
}

bool us_lab_vm_is_started(const struct us_lab_vm *vm)
{
	return vm->is_started;
}

/* ---- A domain of libvirt ---- */

/* A domain in a machine connects to us, and we connect to another one. */
static int domain_monitor(struct us_lab_vm *vm, int *ret_fd)
{
	char path[US_LAB_PATH];

	us_lab_host_path(vm->lab, vm->options.host, US_LAB_SOCKET_MONITOR, path);
	if (!us_lab_has_machines(vm->lab))
		return us_connect_unix(path, ret_fd);
	*ret_fd = accept4(vm->listener, NULL, NULL, SOCK_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* libvirt has turned on the events of migrations. */
static int connect_domain(struct us_lab_vm *vm)
{
	static const char negotiate[] = "{\"execute\":\"qmp_capabilities\",\"id\":-1}";
	int fd, r = domain_monitor(vm, &fd);

	if (!r)
		r = us_stream_new(&vm->monitor, vm->lab->loop, fd, '\n',
				  (struct us_stream_limits){ 1 << 20, 1 << 20 }, &monitor_handler,
				  vm);
	if (!r)
		r = us_stream_send(vm->monitor, negotiate, strlen(negotiate));
	if (!r)
		r = us_lab_vm_console_open(vm);
	vm->is_started = !r;
	return r;
}

static int on_arrival(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_lab_vm *vm = userdata;

	if (connect_domain(vm) == 0) {
		vm->arrival = sd_event_source_disable_unref(vm->arrival);
		return 0;
	}
	sd_event_source_set_time_relative(source, ARRIVAL_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static bool has_connected(void *userdata)
{
	return connect_domain(userdata) == 0;
}

static int start_domain(struct us_lab_vm *vm, struct us_reason *reason)
{
	char path[US_LAB_PATH];
	int r = 0;

	us_lab_host_path(vm->lab, vm->options.host, US_LAB_SOCKET_MONITOR, path);
	if (us_lab_has_machines(vm->lab))
		r = us_lab_socket_listen(path, &vm->listener);
	if (!r && us_lab_has_machines(vm->lab))
		fcntl(vm->listener, F_SETFL, O_NONBLOCK);
	if (!r && vm->options.incoming)
		return sd_event_add_time_relative(vm->lab->loop, &vm->arrival, CLOCK_MONOTONIC,
						  ARRIVAL_USEC, 0, on_arrival, vm);
	if (!r)
		r = us_lab_domain_create(vm, reason);
	return r ? r : us_lab_poll(vm->lab, has_connected, vm, START_TIMEOUT_USEC);
}

/* ---- Begin and end ---- */

int us_lab_vm_start(struct us_lab_vm *vm, const struct us_lab_vm_options *options,
		    struct us_reason *reason)
{
	struct us_lab_vm_arguments arguments = {};
	struct us_lab_process_spec spec = { .argv = arguments.argv, .stdout_fd = -1 };
	int ours = -1, r;
	char record[40];
	pid_t pid;

	*vm = (struct us_lab_vm){ .lab = vm->lab,
				  .on_event = vm->on_event,
				  .userdata = vm->userdata,
				  .options = *options,
				  .console = -1,
				  .listener = -1 };
	if (us_lab_has_libvirt(vm->lab))
		return start_domain(vm, reason);
	r = us_lab_vm_monitor_open(vm, &ours, &spec.extra_fd);
	if (r)
		return r;
	us_lab_vm_arguments(&arguments, vm);
	us_lab_host_record(options->host, US_LAB_RECORD_QEMU, record);
	spec.place = us_lab_host_name(options->host);
	spec.record = record;
	r = us_lab_process_spawn(vm->lab, &spec, &pid);
	us_close(spec.extra_fd);
	if (r) {
		us_close(ours);
		return r;
	}
	vm->is_started = true;
	r = us_lab_vm_monitor_connect(vm, ours, pid, &ours);
	if (r)
		return refuse_start(vm, r, reason);
	r = us_stream_new(&vm->monitor, vm->lab->loop, ours, '\n',
			  (struct us_stream_limits){ 1 << 20, 1 << 20 }, &monitor_handler, vm);
	if (!r)
		r = greet(vm, reason);
	return r ? r : us_lab_vm_console_open(vm);
}

void us_lab_vm_disown(struct us_lab_vm *vm)
{
	us_stream_free(US_STEAL(vm->monitor));
	vm->listener = us_close(vm->listener);
	vm->arrival = sd_event_source_disable_unref(vm->arrival);
	us_lab_vm_console_close(vm);
	json_decref(US_STEAL(vm->reply));
	vm->is_started = false;
}

void us_lab_vm_stop(struct us_lab_vm *vm)
{
	char record[40];

	bool was_started = vm->is_started;

	us_lab_vm_disown(vm);
	if (!was_started)
		return;
	if (us_lab_has_libvirt(vm->lab)) {
		us_lab_domain_kill(vm);
		return;
	}
	us_lab_process_end(vm->lab,
			   us_lab_host_record(vm->options.host, US_LAB_RECORD_QEMU, record));
}
