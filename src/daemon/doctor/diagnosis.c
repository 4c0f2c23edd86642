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

/* ---- The pairs of a VM, one after the other ---- */

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
	struct us_host_pair *pair = us_pairs_find(us_vms_pairs(diagnosis->doctor->config.vms),
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
	us_doctor_find_vm(doctor, vm, &diagnosis->findings);
	diagnose_next(diagnosis);
}

void us_doctor_forget_vm(struct us_doctor *doctor, const struct us_host_vm *vm)
{
	struct diagnosis *diagnosis;

	us_list_for_each (diagnosis, &doctor->diagnoses, link)
		if (diagnosis->vm == vm)
			finish(diagnosis);
}

int us_doctor_new(struct us_doctor **ret_doctor, const struct us_doctor_config *config,
		  const struct us_doctor_handler *handler, void *userdata)
{
	struct us_doctor *doctor = calloc(1, sizeof(*doctor));

	if (!doctor)
		return -ENOMEM;
	*doctor = (struct us_doctor){ .config = *config, .handler = handler, .userdata = userdata };
	us_list_init(&doctor->diagnoses);
	*ret_doctor = doctor;
	return 0;
}

void us_doctor_free(struct us_doctor *doctor)
{
	free(doctor);
}
