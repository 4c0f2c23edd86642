/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/vm/domain.h"
#include "lab/vm/vm-private.h"
#include "lab/world/libvirt.h"
#include "lab/world/machine.h"
#include "lab/world/net.h"
#include "lab/world/process.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define KILL_TIMEOUT_USEC (30 * US_USEC_PER_SEC)

static void write_boot(FILE *out, const struct us_lab_vm *vm)
{
	char kernel[1000];

	fprintf(out, "<os><type arch='x86_64' machine='q35'>hvm</type>");
	if (vm->options.boot == US_LAB_VM_BOOT_DIRECT) {
		us_lab_vm_kernel_arguments(vm->lab, vm->options.nics, kernel, sizeof(kernel));
		fprintf(out,
			"<kernel>" US_LAB_LIBVIRT_DIR "/kernel</kernel><initrd>" US_LAB_LIBVIRT_DIR
			"/initrd</initrd><cmdline>%s</cmdline>",
			kernel);
	}
	fprintf(out, "</os>\n");
}

static void write_nic(FILE *out, const struct us_lab_vm *vm, unsigned nic)
{
	const struct us_lab_net_nic *n = &us_lab_net_nics[nic];
	bool boots = vm->options.boot == US_LAB_VM_BOOT_NETWORK;
	unsigned queues = vm->lab->options.queues;

	fprintf(out,
		"<interface type='bridge'><source bridge='br0'/><mac address='%s'/>"
		"<target dev='%s'/><model type='virtio'/><teaming type='persistent'/>"
		"<alias name='ua-%s'/>",
		n->mac, n->standby_port, n->standby);
	fprintf(out, queues > 1 ? "<driver name='qemu' queues='%u'/>" : "<driver name='qemu'/>",
		queues);
	if (boots && nic == 0)
		fprintf(out, "<boot order='1'/>");
	else if (!boots)
		fprintf(out, "<rom enabled='no'/>");
	fprintf(out, "</interface>\n");
}

/* The VF that libvirt's own teaming pairs with the first standby. */
static void write_primary(FILE *out, const struct us_lab *lab)
{
	const struct us_lab_net_nic *n = &us_lab_net_nics[0];
	unsigned domain = 0, bus = 0, slot = 0, function = 0;

	sscanf(lab->machines.vf, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	fprintf(out,
		"<interface type='hostdev' managed='no'><mac address='%s'/>"
		"<source><address type='pci' domain='%u' bus='%u' slot='%u' "
		"function='%u'/></source>"
		"<teaming type='transient' persistent='ua-%s'/>"
		"<alias name='" US_LAB_VM_TEAMING_PRIMARY "'/></interface>\n",
		n->mac, domain, bus, slot, function, n->standby);
}

/* libvirt wants a path; a name alone is looked up in PATH. "" if it is not there. */
static const char *find_program(const struct us_lab *lab, const char *name, char path[PATH_MAX])
{
	const char *directory = us_lab_has_machines(lab) ? NULL : getenv("PATH");

	snprintf(path, PATH_MAX, "%s%s",
		 us_lab_has_machines(lab) && *name != '/' ? "/usr/bin/" : "", name);
	while (!strchr(name, '/') && directory && *directory) {
		size_t length = strcspn(directory, ":");

		snprintf(path, PATH_MAX, "%.*s/%s", (int)length, directory, name);
		if (access(path, X_OK) == 0)
			return path;
		path[0] = '\0';
		directory += length + (directory[length] == ':');
	}
	return path;
}

static void write_devices(FILE *out, const struct us_lab_vm *vm)
{
	char emulator[PATH_MAX];

	fprintf(out, "<devices><emulator>%s</emulator>\n",
		find_program(vm->lab, vm->lab->emulator.program, emulator));
	fprintf(out, "<controller type='usb' model='none'/>"
		     "<controller type='pci' index='0' model='pcie-root'/>\n");
	for (int i = 1; i <= US_LAB_VM_ROOT_PORTS; i++)
		fprintf(out, "<controller type='pci' index='%d' model='pcie-root-port'/>\n", i);
	for (unsigned nic = 0; nic < vm->options.nics; nic++)
		write_nic(out, vm, nic);
	if (vm->options.is_paired)
		write_primary(out, vm->lab);
	fprintf(out, "<serial type='unix'><source mode='bind' path='" US_LAB_LIBVIRT_DIR
		     "/" US_LAB_SOCKET_CONSOLE "'/><log file='" US_LAB_LIBVIRT_DIR
		     "/console.log' append='on'/></serial>\n"
		     "<memballoon model='none'/></devices>\n");
}

static void write_argument(FILE *out, const char *argument)
{
	fprintf(out, "<qemu:arg value='%s'/>", argument);
}

/* The lab's monitor and the debug port of SeaBIOS. A machine has the socket of a lab that listens.
 */
static void write_arguments(FILE *out, const struct us_lab *lab)
{
	const char *const arguments[] = {
		"-chardev",
		us_lab_has_machines(lab)
			? "socket,id=lab,path=" US_LAB_LIBVIRT_DIR "/" US_LAB_SOCKET_MONITOR
			: "socket,id=lab,server=on,wait=off,path=" US_LAB_LIBVIRT_DIR
			  "/" US_LAB_SOCKET_MONITOR,
		"-mon",
		"chardev=lab,mode=control",
		"-chardev",
		"file,id=firmware,path=" US_LAB_LIBVIRT_DIR "/" US_LAB_FIRMWARE_LOG,
		"-device",
		"isa-debugcon,iobase=0x402,chardev=firmware",
	};

	fprintf(out, "<qemu:commandline>");
	for (size_t i = 0; i < US_ARRAY_LENGTH(arguments); i++)
		write_argument(out, arguments[i]);
	if (!strcmp(lab->options.hotplug, "native")) {
		write_argument(out, "-global");
		write_argument(out, "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
	}
	fprintf(out, "</qemu:commandline>\n");
}

static int write_xml(const struct us_lab_vm *vm, const char *path)
{
	const struct us_lab *lab = vm->lab;
	bool has_kvm = !strcmp(lab->options.accel, "kvm");
	/* As usual for passthrough: the plug of a VF must not wait for memory to be allocated. */
	const char *backing =
		us_lab_has_machines(lab) && !lab->options.has_lazy_memory
			? "<memoryBacking><allocation mode='immediate'/></memoryBacking>"
			: "";
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	fprintf(out,
		"<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
		"<name>web</name><memory unit='MiB'>%u</memory><vcpu>%u</vcpu>\n"
		"%s<features><acpi/><apic/></features>%s\n",
		has_kvm ? "kvm" : "qemu", lab->options.memory, lab->options.queues, backing,
		has_kvm ? "<cpu mode='host-passthrough'/>" : "");
	write_boot(out, vm);
	write_devices(out, vm);
	write_arguments(out, lab);
	fprintf(out, "</domain>\n");
	return fclose(out) ? -errno : 0;
}

/* libvirt changes the owner of the files that it uses, so it gets copies. */
static int copy_image(struct us_lab *lab, enum us_lab_host host)
{
	bool is_machine = us_lab_has_machines(lab);
	const char *place = us_lab_host_name(host);
	const char *source = is_machine ? US_LAB_MACHINE_KERNEL : lab->image.kernel;
	char kernel[US_LAB_PATH], initrd[US_LAB_PATH];
	int r;

	us_lab_libvirt_path(lab, host, "kernel", kernel);
	us_lab_libvirt_path(lab, host, "initrd", initrd);
	r = us_lab_process_run(lab, place,
			       (const char *const[]){ "cp", "--", source, kernel, NULL });
	return r ? r
		 : us_lab_process_run(
			   lab, place,
			   (const char *const[]){ "cp", "--", lab->image.initrd, initrd, NULL });
}

/* Where both we and the host see it. */
static const char *xml_path(const struct us_lab_vm *vm, const char *name, char path[US_LAB_PATH])
{
	if (us_lab_has_machines(vm->lab))
		snprintf(path, US_LAB_PATH, "%.160s/shared/%.20s", vm->lab->dir, name);
	else
		us_lab_host_path(vm->lab, vm->options.host, name, path);
	return path;
}

int us_lab_vm_teaming_primary(struct us_lab_vm *vm, const char *command, struct us_reason *reason)
{
	char path[US_LAB_PATH];
	FILE *out = fopen(xml_path(vm, "primary.xml", path), "we");
	int r;

	if (!out)
		return -errno;
	write_primary(out, vm->lab);
	if (fclose(out))
		return -errno;
	r = us_lab_libvirt_virsh(vm->lab, vm->options.host,
				 (const char *const[]){ command, "web", path, NULL });
	if (r <= 0)
		return r;
	us_refuse(reason, "virsh %s failed on %s", command, us_lab_host_name(vm->options.host));
	return us_advise(reason, "see the message of virsh above");
}

int us_lab_domain_create(const struct us_lab_vm *vm, struct us_reason *reason)
{
	char path[US_LAB_PATH];
	int r = 0;

	/* Both, because libvirt examines the files of an arriving domain, too. */
	for (int host = 0; !r && host < US_LAB_HOSTS; host++)
		r = copy_image(vm->lab, host);
	if (!r)
		r = write_xml(vm, xml_path(vm, "domain.xml", path));
	if (!r)
		r = us_lab_libvirt_virsh(vm->lab, vm->options.host,
					 (const char *const[]){ "create", path, NULL });
	if (r <= 0)
		return r;
	us_refuse(reason, "libvirt on %s did not start the domain",
		  us_lab_host_name(vm->options.host));
	return us_advise(reason, "see the message of virsh above");
}

void us_lab_vm_attach_arguments(const struct us_lab *lab, enum us_lab_host host,
				char text[US_LAB_VM_ATTACH_TEXT], const char *ret_argv[6])
{
	bool has_libvirt = us_lab_has_libvirt(lab);
	char path[US_LAB_LIBVIRT_URI];

	snprintf(text, US_LAB_VM_ATTACH_TEXT, "--%s=%s", has_libvirt ? "libvirt" : "qmp",
		 has_libvirt ? us_lab_libvirt_uri(lab, host, path)
			     : us_lab_host_path(lab, host, US_LAB_SOCKET_QMP, path));
	memcpy(ret_argv, (const char *[6]){ "vm", "attach", "web", text }, 6 * sizeof(*ret_argv));
}

/* libvirt keeps the alias of a device only if it begins with "ua-". */
const char *us_lab_vm_standby(const struct us_lab *lab, unsigned nic, char name[20])
{
	snprintf(name, 20, "%s%.10s", us_lab_has_libvirt(lab) ? "ua-" : "",
		 us_lab_net_nics[nic].standby);
	return name;
}

static bool has_gone(void *userdata)
{
	const struct us_lab_vm *vm = userdata;

	return us_lab_libvirt_domain_pid(vm->lab, vm->options.host) == 0;
}

void us_lab_domain_kill(const struct us_lab_vm *vm)
{
	us_lab_libvirt_domain_kill(vm->lab, vm->options.host);
	us_lab_poll(vm->lab, has_gone, (void *)vm, KILL_TIMEOUT_USEC);
}
