/* SPDX-License-Identifier: BSD-3-Clause */
/* Diagnose: the host, then the VM, then its pairs one after the other, as QEMU answers. */
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "daemon/doctor/doctor.h"
#include "daemon/migration/migration.h"
#include "util/clock.h"
#include "util/printable.h"

enum {
	QUEUES_USEC = 2 * 1000 * 1000, /* to look at a VM's descriptors */
};

struct us_diagnosis {
	struct us_list link;
	struct us_host_vm *vm;
	struct us_call *call; /* NULL once its client went away */
	json_t *findings;
	struct us_drain *drain; /* under way */
	struct us_timer late;
	/* Pairs may come and go meanwhile. */
	char names[US_PAIRS_PER_VM][US_NAME_MAX];
	size_t count, next;
};

static const char *const level_names[] = {
	[US_LEVEL_OK] = "ok",
	[US_LEVEL_WARNING] = "warning",
	[US_LEVEL_ERROR] = "error",
};
_Static_assert(US_ARRAY_LENGTH(level_names) == US_LEVEL_N, "a name for each");

void us_finding_add(json_t *findings, enum us_level level, const char *about, const char *next,
		    const char *format, ...)
{
	char text[sizeof(struct us_reason) + 200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	us_make_printable(text);
	json_array_append_new(findings,
			      json_pack("{s:s, s:s, s:o, s:o*}", "level", level_names[level],
					"about", about, "text", us_wire_string(text), "next",
					next[0] ? us_wire_string(next) : NULL));
}

void us_finding_add_reason(json_t *findings, enum us_level level, const char *about, int r,
			   const char *words)
{
	const char *next = NULL;

	if (r < 0 || !words || !words[0])
		words = us_strerror(r);
	for (const char *at = words; (at = strstr(at, ": ")); at += 2)
		next = at;
	us_finding_add(findings, level, about, next ? next + 2 : "", "%.*s",
		       (int)(next ? next - words : (ptrdiff_t)strlen(words)), words);
}

/* ---- The VM ---- */

static void diagnose_vm(const struct us_host_vm *vm, json_t *findings)
{
	char next[160];

	if (!us_vmm_is_adopted(vm->vmm)) {
		us_finding_add(
			findings, US_LEVEL_ERROR, vm->name,
			vm->state == US_VM_GONE
				? "start the VM again at the same socket; it is adopted by itself"
				: "it is tried again by itself; until then its primaries stay "
				  "as they are",
			"%s", us_optional_text(vm->problem));
		return;
	}
	us_finding_add(findings, US_LEVEL_OK, vm->name, "", "QEMU %s answers at %s: %s",
		       us_vmm_version(vm->vmm), vm->monitor_path, us_vm_state_name(vm->state));
	snprintf(next, sizeof(next), "understudy finish %s, unless someone is about to migrate it",
		 vm->name);
	if (vm->prepared && !us_migration_is_source(vm))
		us_finding_add(findings, US_LEVEL_WARNING, vm->name, next,
			       "prepared for a migration: no primary is shown");
	snprintf(next, sizeof(next), "understudy pair add NAME --vm %s --standby ID --port IFNAME",
		 vm->name);
	if (us_list_is_empty(&vm->pairs))
		us_finding_add(findings, US_LEVEL_WARNING, vm->name, next, "it has no pair");
}

/* ---- One after the other ---- */

static void finish(struct us_diagnosis *diagnosis)
{
	us_list_remove(&diagnosis->link);
	us_drain_free(diagnosis->drain);
	us_timer_deinit(&diagnosis->late);
	if (diagnosis->call)
		us_call_reply(US_STEAL(diagnosis->call),
			      json_pack("{s:O}", "findings", diagnosis->findings));
	json_decref(diagnosis->findings);
	free(diagnosis);
}

static void diagnose_next(struct us_diagnosis *diagnosis);

static struct us_host_pair *present(const struct us_diagnosis *diagnosis)
{
	struct us_host_pair *pair =
		us_daemon_pair(diagnosis->vm->daemon, diagnosis->names[diagnosis->next]);

	return pair && pair->vm == diagnosis->vm ? pair : NULL;
}

static void on_slot(void *userdata, int r, const struct us_reason *reason, const char *bus)
{
	struct us_diagnosis *diagnosis = userdata;
	const char *name = diagnosis->names[diagnosis->next];

	if (r == 0) {
		us_vmm_return_slot(diagnosis->vm->vmm, bus);
		us_finding_add(diagnosis->findings, US_LEVEL_OK, name, "",
			       "there is a slot to plug the primary into: %s", bus);
	} else {
		us_finding_add_reason(diagnosis->findings, US_LEVEL_ERROR, name, r, reason->text);
	}
	diagnosis->next++;
	diagnose_next(diagnosis);
}

static bool needs_slot(const struct us_host_pair *pair)
{
	return !pair->spec.bus[0] && us_pair_may_migrate(&pair->engine) &&
	       pair->engine.config.mode != US_MODE_SEPARATE;
}

static void on_standby(void *userdata, int r, const struct us_reason *reason,
		       const struct us_vmm_standby *standby)
{
	struct us_diagnosis *diagnosis = userdata;
	struct us_host_pair *pair = present(diagnosis);

	if (pair)
		us_doctor_find_standby(pair, diagnosis->findings, reason, standby);
	if (pair && needs_slot(pair) &&
	    us_vmm_find_slot(diagnosis->vm->vmm, on_slot, diagnosis) == 0)
		return;
	diagnosis->next++;
	diagnose_next(diagnosis);
}

static void on_queues(void *userdata, int r, const struct us_reason *reason)
{
	struct us_diagnosis *diagnosis = userdata;
	struct us_host_pair *pair = present(diagnosis);

	us_timer_stop(&diagnosis->late);
	us_drain_free(US_STEAL(diagnosis->drain));
	if (pair)
		us_doctor_find_stop_frames(pair, diagnosis->findings, r, reason);
	if (pair &&
	    us_vmm_inspect(diagnosis->vm->vmm, pair->spec.standby, on_standby, diagnosis) == 0)
		return;
	diagnosis->next++;
	diagnose_next(diagnosis);
}

static void on_late(void *userdata)
{
	struct us_reason reason;

	us_refuse(&reason, "its descriptors take too long to be looked at");
	on_queues(userdata, US_REFUSED, &reason);
}

/* Whether on_queues() is going to be called; else that is not asked. */
static bool look_at_queues(struct us_diagnosis *diagnosis, const struct us_host_pair *pair)
{
	struct us_drain_process process = us_host_vm_process(pair->vm);
	struct us_reason reason = { .text = "" };
	int r;

	if (process.pid <= 0 || !pair->engine.config.can_park)
		return false;
	r = us_drain_new(&diagnosis->drain, diagnosis->vm->daemon->loop, &process, pair->spec.port,
			 on_queues, diagnosis, &reason);
	if (r < 0)
		us_refuse(&reason, "%s", us_strerror(r));
	if (r == 0)
		us_timer_set(&diagnosis->late, us_now_usec() + QUEUES_USEC);
	else
		us_doctor_find_stop_frames(pair, diagnosis->findings, r, &reason);
	return r == 0;
}

static void diagnose_next(struct us_diagnosis *diagnosis)
{
	for (; diagnosis->next < diagnosis->count; diagnosis->next++) {
		struct us_host_pair *pair = present(diagnosis);

		if (!pair)
			continue;
		us_doctor_find_pair(pair, diagnosis->findings);
		if (look_at_queues(diagnosis, pair))
			return;
		if (us_vmm_inspect(diagnosis->vm->vmm, pair->spec.standby, on_standby, diagnosis) ==
		    0)
			return;
	}
	finish(diagnosis);
}

static void on_gone(void *userdata, struct us_call *call)
{
	((struct us_diagnosis *)userdata)->call = NULL;
}

void us_doctor_diagnose(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call)
{
	struct us_diagnosis *diagnosis;
	struct us_host_pair *pair;
	json_t *findings = json_array();

	us_doctor_find_host(daemon, findings);
	if (!vm) {
		us_call_reply(call, json_pack("{s:o}", "findings", findings));
		return;
	}
	diagnosis = calloc(1, sizeof(*diagnosis));
	if (diagnosis && us_timer_init(&diagnosis->late, daemon->loop, on_late, diagnosis) < 0)
		free(US_STEAL(diagnosis));
	if (!diagnosis) {
		json_decref(findings);
		us_call_fail(call, "Failed", "out of memory");
		return;
	}
	diagnosis->vm = vm;
	diagnosis->call = call;
	diagnosis->findings = findings;
	us_call_on_gone(call, on_gone, diagnosis);
	us_list_append(&vm->diagnoses, &diagnosis->link);
	diagnose_vm(vm, findings);
	us_list_for_each (pair, &vm->pairs, link)
		if (diagnosis->count < US_PAIRS_PER_VM)
			strcpy(diagnosis->names[diagnosis->count++], pair->spec.name);
	diagnose_next(diagnosis);
}

void us_doctor_cancel_all(struct us_host_vm *vm)
{
	struct us_diagnosis *diagnosis;

	us_list_for_each (diagnosis, &vm->diagnoses, link)
		finish(diagnosis);
}
