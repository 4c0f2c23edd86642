/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's command line, as an upper layer would write it, and the log of its firmware. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/vm/vm-private.h"
#include "lab/world/machine.h"
#include "lab/world/net.h"
#include "lab/world/process.h"
#include "util/cleanup.h"

void us_lab_vm_kernel_arguments(const struct us_lab *lab, unsigned nics, char *buffer, size_t size)
{
	int length = snprintf(buffer, size, "%s", lab->options.machine->kernel_arguments);

	for (unsigned i = 0; i < nics; i++)
		length += snprintf(buffer + length, size - length, " us.nic=%s,%s/24,%s,%s,%u",
				   us_lab_net_nics[i].mac, us_lab_net_nics[i].address,
				   us_lab_net_nics[i].client, US_LAB_NET_CLIENT_MAC,
				   us_lab_net_nics[i].port);
}

/* An argument without a value. @flag is not copied. */
static void add_flag(struct us_lab_vm_arguments *arguments, const char *flag)
{
	arguments->argv[arguments->count++] = flag;
}

/* Adds @option and its formatted value. */
static void __attribute__((format(printf, 3, 4)))
add(struct us_lab_vm_arguments *arguments, const char *option, const char *format, ...)
{
	char *value = arguments->text + arguments->used;
	va_list list;

	va_start(list, format);
	arguments->used +=
		vsnprintf(value, sizeof(arguments->text) - arguments->used, format, list) + 1;
	va_end(list);
	add_flag(arguments, option);
	add_flag(arguments, value);
}

static void add_nic(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm, unsigned nic)
{
	const struct us_lab_platform *machine = vm->lab->options.machine;
	const struct us_lab_net_nic *n = &us_lab_net_nics[nic];
	unsigned queues = vm->lab->options.queues;
	char bus[20] = "", of_many[40] = "", many[20] = "";
	const char *rom = ",romfile=";

	if (machine->is_ccw)
		rom = "";
	else if (vm->options.boot == US_LAB_VM_BOOT_NETWORK)
		rom = nic ? "" : ",bootindex=0";
	if (machine->has_ports)
		snprintf(bus, sizeof(bus), ",bus=rp%u", nic);
	if (queues > 1) {
		snprintf(many, sizeof(many), ",queues=%u", queues);
		snprintf(of_many, sizeof(of_many), machine->is_ccw ? ",mq=on" : ",mq=on,vectors=%u",
			 2 * queues + 2);
	}
	add(arguments, "-netdev", "tap,id=host-%s,ifname=%s,script=no,downscript=no%s", n->standby,
	    n->standby_port, many);
	add(arguments, "-device", "virtio-net-%s,id=%s,netdev=host-%s,mac=%s,failover=on%s%s%s",
	    machine->is_ccw ? "ccw" : "pci", n->standby, n->standby, n->mac, bus, of_many, rom);
}

static void add_vf(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm, unsigned nic)
{
	add(arguments, "-device", "vfio-pci,host=%s,id=primary%u,failover_pair_id=%s,bus=%s",
	    vm->lab->machines.vf, nic, us_lab_net_nics[nic].standby, US_LAB_VM_PRIMARY_BUS);
}

/* For QEMU's own failover: the primary's netdev and, if the options say so, the primary. */
static void add_primary(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm,
			unsigned nic)
{
	const struct us_lab_net_nic *n = &us_lab_net_nics[nic];

	if (us_lab_has_machines(vm->lab)) {
		if (vm->options.is_paired)
			add_vf(arguments, vm, nic);
		return;
	}
	add(arguments, "-netdev", "tap,id=host-primary%u,ifname=%s,script=no,downscript=no", nic,
	    n->primary_port);
	if (!vm->options.is_paired)
		return;
	add(arguments, "-device",
	    "%s,id=primary%u,netdev=host-primary%u,mac=%s,failover_pair_id=%s,bus=%s,romfile=",
	    vm->lab->options.primary, nic, nic, n->mac, n->standby, US_LAB_VM_PRIMARY_BUS);
}

/* SeaBIOS writes "Found 11 PCI devices (max PCI bus is 06)" to its debug port. */
int us_lab_vm_firmware_devices(const struct us_lab_vm *vm)
{
	char path[US_LAB_PATH];
	const char *const argv[] = { "cat", path, NULL };
	US_CLEANUP(us_freep) char *log = NULL;
	int devices = -ENODATA, found;
	char plural;

	us_lab_host_path(vm->lab, vm->options.host, US_LAB_FIRMWARE_LOG, path);
	log = us_lab_process_read(vm->lab, us_lab_host_name(vm->options.host), argv);
	for (const char *at = log; at && (at = strstr(at, "Found ")); at++)
		if (sscanf(at, "Found %d PCI device%c", &found, &plural) == 2)
			devices = found;
	return devices;
}

static void add_processor(struct us_lab_vm_arguments *arguments, const struct us_lab *lab)
{
	const char *cpu = lab->options.machine->cpu;

	if (!strcmp(lab->options.accel, "kvm"))
		cpu = "host";
	if (cpu)
		add(arguments, "-cpu", "%s", cpu);
	add(arguments, "-smp", "%u", lab->options.queues);
}

static void add_kernel(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm)
{
	const struct us_lab *lab = vm->lab;
	char kernel[1000];

	us_lab_vm_kernel_arguments(lab, vm->options.nics, kernel, sizeof(kernel));
	add(arguments, "-kernel", "%s",
	    us_lab_has_machines(lab) ? US_LAB_MACHINE_KERNEL : lab->image.kernel);
	add(arguments, "-initrd", "%s", lab->image.initrd);
	add(arguments, "-append", "%s", kernel);
}

static void add_machine(struct us_lab_vm_arguments *arguments, const struct us_lab *lab)
{
	const struct us_lab_platform *machine = lab->options.machine;

	add(arguments, "-display", "none");
	add(arguments, "-m", "%u", lab->options.memory);
	add(arguments, "-name", "web");
	add(arguments, "-machine", "%s,accel=%s", machine->name, lab->options.accel);
	/* Without ACPI hot-plug the root ports use their own: docs/specs/acpi_pci_hotplug.rst. */
	if (machine->has_bios && !strcmp(lab->options.hotplug, "native"))
		add(arguments, "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
	/* As usual for passthrough: the plug of a VF must not wait for memory to be allocated. */
	if (us_lab_has_machines(lab) && !lab->options.has_lazy_memory)
		add_flag(arguments, "-mem-prealloc");
	add_processor(arguments, lab);
}

/* The lab's monitor, the daemon's monitor, the console, and the debug port of SeaBIOS. */
static void add_channels(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm)
{
	enum us_lab_host host = vm->options.host;
	const struct us_lab *lab = vm->lab;
	char path[US_LAB_PATH];

	us_lab_host_path(lab, host, US_LAB_SOCKET_MONITOR, path);
	if (us_lab_has_machines(lab))
		add(arguments, "-chardev", "socket,id=lab,path=%s", path);
	else
		add(arguments, "-chardev", "socket,id=lab,fd=%d", US_LAB_PROCESS_EXTRA_FD);
	add(arguments, "-mon", "chardev=lab,mode=control");
	us_lab_host_path(lab, host, US_LAB_SOCKET_QMP, path);
	add(arguments, "-qmp", "unix:%s,server=on,wait=off", path);
	us_lab_host_path(lab, host, US_LAB_SOCKET_CONSOLE, path);
	add(arguments, "-chardev",
	    "socket,id=console,path=%s,server=on,wait=off,logfile=%s.log,logappend=on", path, path);
	add(arguments, "-serial", "chardev:console");
	if (lab->options.machine->has_bios) {
		us_lab_host_path(lab, host, US_LAB_FIRMWARE_LOG, path);
		add(arguments, "-chardev", "file,id=firmware,path=%s", path);
		add(arguments, "-device", "isa-debugcon,iobase=0x402,chardev=firmware");
	}
}

void us_lab_vm_arguments(struct us_lab_vm_arguments *arguments, const struct us_lab_vm *vm)
{
	const struct us_lab *lab = vm->lab;

	add_flag(arguments, lab->emulator.program);
	add_flag(arguments, "-nodefaults");
	add_flag(arguments, "-no-user-config");
	add_machine(arguments, lab);
	add_channels(arguments, vm);
	for (int i = 0; lab->options.machine->has_ports && i < US_LAB_VM_ROOT_PORTS; i++)
		add(arguments, "-device", "pcie-root-port,id=rp%d,chassis=%d,slot=%d", i, i + 1,
		    i + 1);
	for (unsigned i = 0; i < vm->options.nics; i++)
		add_nic(arguments, vm, i);
	if (lab->options.manager == US_LAB_MANAGER_QEMU)
		add_primary(arguments, vm, 0);
	if (vm->options.boot == US_LAB_VM_BOOT_DIRECT)
		add_kernel(arguments, vm);
	if (vm->options.incoming)
		add(arguments, "-incoming", "defer");
}
