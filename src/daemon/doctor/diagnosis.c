/* SPDX-License-Identifier: BSD-3-Clause */
/* One diagnosis: the host, then the VM, then its pairs one after the other, as QEMU answers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/doctor/doctor-private.h"
#include "util/clock.h"
#include "util/timer.h"

enum {
	PAIRS_MAX = 32,		       /* of a VM, in one diagnosis */
	QUEUES_USEC = 2 * 1000 * 1000, /* to read the descriptors of a VM */
};

struct diagnosis {
	struct us_list link;
	struct us_doctor *doctor;
	struct us_host_vm *vm;
	struct us_call *call; /* NULL once its client went away */
	struct us_findings findings;
	struct us_drain *drain; /* under way */
	struct us_timer late;
	char names[PAIRS_MAX][US_NAME_MAX]; /* pairs may be removed meanwhile */
	size_t count, next;
};

/* ---- The VM ---- */

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

static void find_vm(const struct us_doctor *doctor, const struct us_host_vm *vm,
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
	snprintf(next, sizeof(next), "understudy pair add NAME --vm %s --standby ID --port IFNAME",
		 name);
	if (!us_pair_vm_next(us_host_vm_facts(vm), NULL))
		us_find_warning(findings, next, "the VM has no pair");
}

/* ---- Its pairs, one after the other ---- */

static void finish(struct diagnosis *diagnosis)
{
	us_list_remove(&diagnosis->link);
	us_drain_free(diagnosis->drain);
	us_timer_deinit(&diagnosis->late);
	if (diagnosis->call)
		us_call_reply(diagnosis->call,
			      json_pack("{s:o}", "findings", diagnosis->findings.array));
	else
		json_decref(diagnosis->findings.array);
	free(diagnosis);
}

/* The pair whose turn it is; NULL: it was removed. */
static struct us_host_pair *find_present(const struct diagnosis *diagnosis)
{
	struct us_host_pair *pair = us_pairs_find(us_vms_pairs(diagnosis->doctor->vms),
						  diagnosis->names[diagnosis->next]);

	return pair && us_host_vm_of(pair) == diagnosis->vm ? pair : NULL;
}

static void diagnose_next(struct diagnosis *diagnosis);

static void end_pair(struct diagnosis *diagnosis)
{
	diagnosis->next++;
	diagnose_next(diagnosis);
}

static void on_slot(void *userdata, int r, const struct us_reason *reason, const char *bus)
{
	struct diagnosis *diagnosis = userdata;

	if (r == 0) {
		us_vmm_return_slot(us_host_vm_vmm(diagnosis->vm), bus);
		us_find_ok(&diagnosis->findings, "there is a slot for the primary: %s", bus);
	} else {
		us_find_reason(&diagnosis->findings, r, reason);
	}
	end_pair(diagnosis);
}

static bool needs_slot(const struct us_host_pair *pair)
{
	const struct us_pair *engine = us_host_pair_engine(pair);

	return !us_host_pair_spec(pair)->bus[0] && us_pair_may_migrate(engine) &&
	       engine->config.mode != US_MODE_SEPARATE;
}

static void on_standby(void *userdata, int r, const struct us_reason *reason,
		       const struct us_vmm_standby *standby)
{
	struct diagnosis *diagnosis = userdata;
	struct us_host_pair *pair = find_present(diagnosis);

	if (pair)
		us_doctor_find_standby(pair, &diagnosis->findings, r == 0 ? NULL : reason, standby);
	if (!pair || !needs_slot(pair) ||
	    us_vmm_find_slot(us_host_vm_vmm(diagnosis->vm), on_slot, diagnosis) != 0)
		end_pair(diagnosis);
}

static bool inspect_standby(struct diagnosis *diagnosis, const struct us_host_pair *pair)
{
	return us_vmm_inspect(us_host_vm_vmm(diagnosis->vm), us_host_pair_spec(pair)->standby,
			      on_standby, diagnosis) == 0;
}

static void on_queues(void *userdata, int r, const struct us_reason *reason)
{
	struct diagnosis *diagnosis = userdata;
	struct us_host_pair *pair = find_present(diagnosis);

	us_timer_stop(&diagnosis->late);
	us_drain_free(US_STEAL(diagnosis->drain));
	if (pair)
		us_doctor_find_stop_frames(&diagnosis->findings, r == 0 ? NULL : reason);
	if (!pair || !inspect_standby(diagnosis, pair))
		end_pair(diagnosis);
}

static void on_late(void *userdata)
{
	struct us_reason reason;

	us_refuse(&reason, "reading its descriptors takes too long");
	on_queues(userdata, US_REFUSED, &reason);
}

/* Whether on_queues() will be called; if not, the queues are not looked at. */
static bool find_queues(struct diagnosis *diagnosis, const struct us_host_pair *pair)
{
	struct us_drain_process process = us_host_vm_process(diagnosis->vm);
	struct us_reason reason = { .text = "" };
	int r;

	if (process.pid <= 0 || !us_host_pair_engine(pair)->config.can_park)
		return false;
	r = us_drain_new(&diagnosis->drain, us_host_vm_loop(diagnosis->vm), &process,
			 us_host_pair_spec(pair)->port, on_queues, diagnosis, &reason);
	if (r == 0) {
		us_timer_set(&diagnosis->late, us_now_usec() + QUEUES_USEC);
		return true;
	}
	if (r < 0)
		us_refuse(&reason, "%s", us_strerror(r));
	us_doctor_find_stop_frames(&diagnosis->findings, &reason);
	return false;
}

static void diagnose_next(struct diagnosis *diagnosis)
{
	for (; diagnosis->next < diagnosis->count; diagnosis->next++) {
		struct us_host_pair *pair = find_present(diagnosis);

		if (!pair)
			continue;
		diagnosis->findings.subject = diagnosis->names[diagnosis->next];
		us_doctor_find_pair(diagnosis->doctor, pair, &diagnosis->findings);
		if (find_queues(diagnosis, pair) || inspect_standby(diagnosis, pair))
			return;
	}
	finish(diagnosis);
}

/* ---- The doctor ---- */

static void on_gone(void *userdata, struct us_call *call)
{
	((struct diagnosis *)userdata)->call = NULL;
}

static struct diagnosis *diagnosis_new(struct us_doctor *doctor, struct us_host_vm *vm)
{
	struct diagnosis *diagnosis = calloc(1, sizeof(*diagnosis));
	struct us_host_pair *pair;

	if (!diagnosis)
		return NULL;
	if (us_timer_init(&diagnosis->late, us_host_vm_loop(vm), on_late, diagnosis) < 0) {
		free(diagnosis);
		return NULL;
	}
	diagnosis->findings = (struct us_findings){ json_array(), "host" };
	us_list_append(&doctor->diagnoses, &diagnosis->link);
	diagnosis->doctor = doctor;
	diagnosis->vm = vm;
	us_host_vm_for_each_pair (pair, vm)
		if (diagnosis->count < PAIRS_MAX)
			strcpy(diagnosis->names[diagnosis->count++], us_host_pair_name(pair));
	return diagnosis;
}

void us_doctor_diagnose(struct us_doctor *doctor, struct us_host_vm *vm, struct us_call *call)
{
	struct diagnosis *diagnosis;

	if (!vm) {
		struct us_findings findings = { json_array(), "host" };

		us_doctor_find_host(doctor, &findings);
		us_call_reply(call, json_pack("{s:o}", "findings", findings.array));
		return;
	}
	diagnosis = diagnosis_new(doctor, vm);
	if (!diagnosis) {
		us_call_fail(call, "Failed", "out of memory");
		return;
	}
	diagnosis->call = call;
	us_call_on_gone(call, on_gone, diagnosis);
	us_doctor_find_host(doctor, &diagnosis->findings);
	find_vm(doctor, vm, &diagnosis->findings);
	diagnose_next(diagnosis);
}

void us_doctor_forget_vm(struct us_doctor *doctor, const struct us_host_vm *vm)
{
	struct diagnosis *diagnosis;

	us_list_for_each (diagnosis, &doctor->diagnoses, link)
		if (diagnosis->vm == vm)
			finish(diagnosis);
}

int us_doctor_new(struct us_doctor **ret_doctor, struct us_vms *vms, struct us_vfs *vfs,
		  const struct us_doctor_handler *handler, void *userdata)
{
	struct us_doctor *doctor = calloc(1, sizeof(*doctor));

	if (!doctor)
		return -ENOMEM;
	*doctor = (struct us_doctor){
		.vms = vms, .vfs = vfs, .handler = handler, .userdata = userdata
	};
	us_list_init(&doctor->diagnoses);
	*ret_doctor = doctor;
	return 0;
}

void us_doctor_free(struct us_doctor *doctor)
{
	free(doctor);
}
