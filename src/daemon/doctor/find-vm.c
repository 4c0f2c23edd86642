/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings about a VM: whether it answers, how it is attached, and whether it has its pairs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/doctor/doctor-private.h"
#include "util/cleanup.h"

/* ---- How it is attached ---- */

/*
 * Whether libvirt has started this QEMU: "-name guest=NAME" and the secret of libvirt's are on its
 * command line. Reading it does not wait for the process.
 */
static bool is_of_libvirt(pid_t pid)
{
	char path[64], line[16 * 1024];
	bool has_name = false, has_secret = false;
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0)
		length = read(fd, line, sizeof(line) - 1);
	us_close(fd);
	line[length < 0 ? 0 : length] = '\0';
	for (const char *word = line; word < line + length; word += strlen(word) + 1) {
		has_name |= strncmp(word, "guest=", strlen("guest=")) == 0;
		has_secret |= strstr(word, "masterKey0") != NULL;
	}
	return has_name && has_secret;
}

/* libvirt has given QEMU neither the rights nor the memory limit that a primary needs. */
static void find_plain_monitor(const struct us_host_vm *vm, struct us_findings *findings)
{
	const struct us_vmm *vmm = us_host_vm_vmm(vm);
	char next[200];

	if (us_vmm_is_domain(vmm) || !is_of_libvirt(us_vmm_pid(vmm)))
		return;
	snprintf(next, sizeof(next),
		 "understudy vm detach %s, then understudy vm attach DOMAIN --libvirt",
		 us_host_vm_name(vm));
	us_find_error(findings, next,
		      "the VM is a domain of libvirt, and is attached by a monitor of QEMU: no "
		      "primary can be plugged");
}

/* ---- Its pairs ---- */

static void find_refusal(void *userdata, const struct us_reason *reason)
{
	us_find_reason(userdata, US_REFUSED, reason);
}

static void find_no_pair(const struct us_host_vm *vm, struct us_findings *findings)
{
	bool is_domain = us_vmm_is_domain(us_host_vm_vmm(vm));
	char next[160];

	snprintf(next, sizeof(next),
		 is_domain ? "understudy pair add --vm %s --standby net0 --primary SPEC --persist"
			   : "understudy pair add NAME --vm %s --standby ID --port IFNAME",
		 us_host_vm_name(vm));
	us_find_warning(findings, next, "the VM has no pair");
}

/* Declared pairs that could not be made come before a VM without any. */
static void find_pairs(const struct us_doctor *doctor, const struct us_host_vm *vm,
		       struct us_findings *findings)
{
	size_t before = json_array_size(findings->array);

	doctor->handler->each_refusal(doctor->userdata, vm, find_refusal, findings);
	if (!us_pair_vm_next(us_host_vm_facts(vm), NULL) &&
	    json_array_size(findings->array) == before)
		find_no_pair(vm, findings);
}

void us_doctor_find_vm(const struct us_doctor *doctor, const struct us_host_vm *vm,
		       struct us_findings *findings)
{
	const struct us_vmm *vmm = us_host_vm_vmm(vm);
	const char *name = us_host_vm_name(vm);
	bool is_gone = us_host_vm_facts(vm)->state == US_VM_GONE;
	char next[160];

	findings->subject = name;
	if (!us_vmm_is_adopted(vmm)) {
		us_find_error(
			findings,
			is_gone ? "start the VM again with the same socket; it is adopted by itself"
				: "the daemon tries again by itself; until then the primaries of "
				  "the VM stay as they are",
			"%s", us_host_vm_problem(vm));
		return;
	}
	us_find_ok(findings, "QEMU %s answers at %s: %s", us_vmm_version(vmm),
		   us_host_vm_monitor(vm), us_vm_state_name(us_host_vm_facts(vm)->state));
	find_plain_monitor(vm, findings);
	snprintf(next, sizeof(next), "understudy finish %s, unless somebody is about to migrate it",
		 name);
	if (us_host_vm_facts(vm)->is_prepared && !doctor->handler->is_migrating(vm))
		us_find_warning(findings, next, "prepared for a migration: no primary is shown");
	find_pairs(doctor, vm, findings);
}
