/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts and ends QEMU, and speaks QMP with it. See vm.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/proc.h"
#include "lab/vm.h"
#include "lab/vm-console.h"
#include "util/clock.h"

#define START_TIMEOUT_USEC (20 * US_USEC_PER_SEC)
#define COMMAND_TIMEOUT_USEC (10 * US_USEC_PER_SEC)
#define ROOT_PORTS 6

void us_vm_qmp_path(const struct us_lab *lab, enum us_lab_host host, char path[200])
{
	snprintf(path, 200, "%s/%s.qmp", lab->dir, us_lab_host_name(host));
}

void us_vm_console_path(const struct us_lab *lab, enum us_lab_host host, char path[200])
{
	snprintf(path, 200, "%s/%s.console", lab->dir, us_lab_host_name(host));
}

/* The clock and mitigation settings only make an emulated guest boot in less time. */
void us_vm_kernel_arguments(unsigned nics, char *buffer, size_t size)
{
	int length = snprintf(buffer, size,
			      "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check nokaslr"
			      " mitigations=off");

	for (unsigned i = 0; i < nics; i++)
		length += snprintf(buffer + length, size - length, " us.nic=%s,%s/24,%s,%s,%u",
				   us_net_nics[i].mac, us_net_nics[i].address,
				   us_net_nics[i].client, US_NET_CLIENT_MAC, us_net_nics[i].port);
}

/* QEMU's command line, one argument after the other in one buffer. */
struct arguments {
	const char *argv[80];
	size_t count, used;
	char text[6000];
};

static void __attribute__((format(printf, 2, 3)))
add(struct arguments *arguments, const char *format, ...)
{
	char *text = arguments->text + arguments->used;
	va_list list;

	va_start(list, format);
	arguments->used +=
		vsnprintf(text, sizeof(arguments->text) - arguments->used, format, list) + 1;
	va_end(list);
	arguments->argv[arguments->count++] = text;
}

static void add_nic(struct arguments *arguments, const struct us_vm *vm, unsigned nic, bool is_pcie)
{
	const struct us_net_nic *n = &us_net_nics[nic];
	char bus[20] = "";

	if (is_pcie)
		snprintf(bus, sizeof(bus), ",bus=rp%u", nic);
	add(arguments, "-netdev");
	add(arguments, "tap,id=host-%s,ifname=%s,script=no,downscript=no", n->standby,
	    n->standby_port);
	add(arguments, "-device");
	add(arguments, "virtio-net-pci,id=%s,netdev=host-%s,mac=%s,failover=on%s%s", n->standby,
	    n->standby, n->mac, bus,
	    vm->options.boot == US_VM_BOOT_DIRECT ? ",romfile="
	    : nic				  ? ""
						  : ",bootindex=0");
}

static void firmware_log(const struct us_vm *vm, char path[200])
{
	snprintf(path, 200, "%s/%s.firmware.log", vm->lab->dir, us_lab_host_name(vm->options.host));
}

/* SeaBIOS writes on its debug port "Found 11 PCI devices (max PCI bus is 06)". */
int us_vm_firmware_devices(const struct us_vm *vm)
{
	char path[200], line[256];
	int devices = -ENODATA;
	FILE *file;

	firmware_log(vm, path);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, " PCI devices"))
			sscanf(line, "Found %d", &devices);
	fclose(file);
	return devices;
}

static void build(struct arguments *arguments, const struct us_vm *vm)
{
	const struct us_lab *lab = vm->lab;
	bool is_pcie = !strcmp(lab->options.machine, "q35");
	char path[200], kernel[1000];

	us_vm_qmp_path(lab, vm->options.host, path);
	add(arguments, "%s", lab->options.qemu);
	for (const char *const *fixed =
		     (const char *const[]){ "-nodefaults", "-no-user-config", "-display", "none",
					    "-smp", "1", "-m", "256", NULL };
	     *fixed; fixed++)
		add(arguments, "%s", *fixed);
	add(arguments, "-name");
	add(arguments, "web");
	add(arguments, "-machine");
	add(arguments, "%s,accel=%s", lab->options.machine, lab->options.accel);
	add(arguments, "-chardev");
	add(arguments, "socket,id=lab,fd=%d", US_PROC_EXTRA_FD);
	add(arguments, "-mon");
	add(arguments, "chardev=lab,mode=control");
	add(arguments, "-qmp");
	add(arguments, "unix:%s,server=on,wait=off", path);
	us_vm_console_path(lab, vm->options.host, path);
	add(arguments, "-chardev");
	add(arguments, "socket,id=console,path=%s,server=on,wait=off,logfile=%s.log,logappend=on",
	    path, path);
	add(arguments, "-serial");
	add(arguments, "chardev:console");
	firmware_log(vm, path);
	add(arguments, "-chardev");
	add(arguments, "file,id=firmware,path=%s", path);
	add(arguments, "-device");
	add(arguments, "isa-debugcon,iobase=0x402,chardev=firmware");
	for (int i = 0; is_pcie && i < ROOT_PORTS; i++) {
		add(arguments, "-device");
		add(arguments, "pcie-root-port,id=rp%d,chassis=%d,slot=%d", i, i + 1, i + 1);
	}
	for (unsigned i = 0; i < vm->options.nics; i++)
		add_nic(arguments, vm, i, is_pcie);
	if (vm->options.boot == US_VM_BOOT_DIRECT) {
		us_vm_kernel_arguments(vm->options.nics, kernel, sizeof(kernel));
		add(arguments, "-kernel");
		add(arguments, "%s", lab->kernel);
		add(arguments, "-initrd");
		add(arguments, "%s", lab->initrd);
		add(arguments, "-append");
		add(arguments, "%s", kernel);
	}
	if (vm->options.incoming) {
		add(arguments, "-incoming");
		add(arguments, "defer");
	}
	if (!strcmp(lab->options.accel, "kvm")) {
		add(arguments, "-cpu");
		add(arguments, "host");
	}
}

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
	us_timeline_add(vm->timeline, seconds * US_USEC_PER_SEC + usec,
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
		us_timeline_add(vm->timeline, us_clock_usec(CLOCK_REALTIME),
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

int us_vm_command(struct us_vm *vm, const char *command, json_t *arguments, json_t **ret_reply,
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

static int greet(struct us_vm *vm, struct us_reason *reason)
{
	json_t *events =
		json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability", "events", "state", 1);
	int r;

	r = us_lab_wait(vm->lab, is_ready, vm, START_TIMEOUT_USEC);
	if (!r && !vm->monitor)
		r = -ECHILD;
	if (r)
		return us_refuse(reason, "QEMU did not start on %s (%s): see %s/%s-qemu.log",
				 us_lab_host_name(vm->options.host), us_strerror(r), vm->lab->dir,
				 us_lab_host_name(vm->options.host));
	r = us_vm_command(vm, "qmp_capabilities", NULL, NULL, reason);
	if (!r)
		r = us_vm_command(vm, "migrate-set-capabilities", events, NULL, reason);
	return r;
}

static void record_name(enum us_lab_host host, char name[40])
{
	snprintf(name, 40, "%s-qemu", us_lab_host_name(host));
}

int us_vm_start(struct us_vm *vm, struct us_lab *lab, struct us_timeline *timeline,
		const struct us_vm_options *options, struct us_reason *reason)
{
	static const struct us_stream_handler handler = { on_message, on_closed };
	struct arguments arguments = {};
	struct us_proc_spec spec = { .argv = arguments.argv, .stdout_fd = -1 };
	int sockets[2], r;
	char record[40];
	pid_t pid;

	*vm = (struct us_vm){
		.lab = lab, .timeline = timeline, .options = *options, .console = -1
	};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	build(&arguments, vm);
	record_name(options->host, record);
	spec.place = us_lab_host_name(options->host);
	spec.record = record;
	spec.extra_fd = sockets[1];
	r = us_proc_spawn(lab, &spec, &pid);
	close(sockets[1]);
	if (r) {
		close(sockets[0]);
		return r;
	}
	vm->started = true;
	r = us_stream_new(&vm->monitor, lab->loop, sockets[0], '\n',
			  (struct us_stream_limits){ 1 << 20, 1 << 20 }, &handler, vm);
	if (!r)
		r = greet(vm, reason);
	return r ? r : us_vm_console_open(vm);
}

void us_vm_disown(struct us_vm *vm)
{
	us_stream_free(US_STEAL(vm->monitor));
	us_vm_console_close(vm);
	json_decref(US_STEAL(vm->reply));
	vm->started = false;
}

void us_vm_stop(struct us_vm *vm)
{
	char record[40];

	if (!vm->started)
		return;
	us_vm_disown(vm);
	record_name(vm->options.host, record);
	us_proc_end(vm->lab, record);
}
