/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration of a VM away from this host. The plan (core/migration-plan.h) decides what is to be
 * done or undone next. The migration goes on if its client goes away.
 *
 * The results of stages are events for the plan. They are posted, and the loop gives them to the
 * plan one at a time, so a stage never begins while another one is running.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "api/uri.h"
#include "daemon/migration/source-private.h"
#include "util/clock.h"
#include "util/crash-point.h"

enum {
	DEADLINE_MAX_SEC = 366 * 24 * 3600,
};

/* ---- End ---- */

static void answer(struct us_source *source, bool is_done)
{
	const char *name = us_host_vm_name(source->vm);
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migrated to %s", name, source->destination);
	us_migration_report(source->vm, is_done ? "done" : "failed",
			    is_done ? line : source->reason.text);
	if (source->call && is_done)
		us_call_reply(US_STEAL(source->call),
			      us_source_progress_json(source, line, NULL, true));
	else if (source->call)
		us_call_fail_with(US_STEAL(source->call), "Failed", US_REFUSED, &source->reason);
	if (source->abort_call && is_done)
		us_call_fail(US_STEAL(source->abort_call), "Refused",
			     "vm %s: too late: the guest runs at the destination", name);
	else if (source->abort_call)
		us_call_reply(US_STEAL(source->abort_call), NULL);
}

static void end(struct us_source *source, bool is_done)
{
	answer(source, is_done);
	us_source_free(source);
}

static void on_last_progress(void *userdata, int r, const struct us_reason *reason,
			     const struct us_transfer_progress *progress)
{
	struct us_source *source = us_migration_of_vm(userdata)->source;

	if (!source)
		return;
	if (r == 0)
		source->progress = *progress;
	end(source, true);
}

/* The last progress has the measured downtime. */
static void succeed(struct us_source *source)
{
	if (us_vmm_query_transfer(us_host_vm_vmm(source->vm), on_last_progress, source->vm) < 0)
		end(source, true);
}

void us_source_free(struct us_source *source)
{
	struct us_host_vm *vm;

	if (!source)
		return;
	vm = source->vm;
	if (source->call || source->abort_call) {
		us_refuse(&source->reason, "vm %s: the VM was detached", us_host_vm_name(vm));
		answer(source, false);
	}
	us_list_remove(&source->deferred.link);
	us_handoff_free(source->handoff);
	us_guest_stop_forget(vm);
	us_client_free(source->client);
	us_client_free(source->peer.client);
	sd_event_source_disable_unref(source->posted);
	us_timer_deinit(&source->deadline);
	sd_event_source_disable_unref(source->ticking);
	json_decref(source->settings);
	free(source->destination);
	free(source->libvirt);
	free(source->uri);
	us_vmm_finish_transfer(us_host_vm_vmm(vm));
	free(source);
	us_migration_of_vm(vm)->source = NULL;
	us_migration_settings_restore(vm);
}

/* ---- The plan ---- */

static void report_stage(struct us_source *source)
{
	const char *stage = us_stage_name(source->plan.stage);
	const char *method = us_stop_method_name(us_stop_method_of_vm(source->vm));
	bool is_transfer = us_source_is_doing(source, US_STAGE_TRANSFER) && method;
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migration to %s: %s%s%s%s",
		 us_host_vm_name(source->vm), source->destination,
		 source->plan.is_undoing ? "undo " : "", stage,
		 is_transfer ? ", frames at the stop: " : "", is_transfer ? method : "");
	us_migration_report(source->vm, stage, line);
	us_source_report_progress(source, line, NULL);
}

static void arm_deadline(struct us_source *source)
{
	us_timer_stop(&source->deadline);
	if (source->plan.deadline != US_NEVER)
		us_timer_set(&source->deadline, source->plan.deadline);
}

/* Returns false if the migration is over, and @source possibly freed. */
static bool step(struct us_source *source, enum us_plan_event_type event)
{
	enum us_plan_order order = us_plan_step(&source->plan, event, us_now_usec());

	arm_deadline(source);
	if (!us_source_is_doing(source, US_STAGE_TRANSFER))
		sd_event_source_set_enabled(source->ticking, SD_EVENT_OFF);
	switch (order) {
	case US_PLAN_DO:
		report_stage(source);
		us_source_do(source);
		us_crash_point("migrate", us_stage_name(source->plan.stage), NULL);
		return true;
	case US_PLAN_UNDO:
		report_stage(source);
		us_source_undo(source);
		us_crash_point("migrate", "undo", us_stage_name(source->plan.stage));
		return true;
	case US_PLAN_SUCCEED:
		succeed(source);
		return false;
	case US_PLAN_FAIL:
		end(source, false);
		return false;
	default:
		return true;
	}
}

static int on_posted(sd_event_source *defer, void *userdata)
{
	/* A completion counts before an abort that came with it: its result answers the abort. */
	static const enum us_plan_event_type order[] = {
		US_PLAN_START, US_PLAN_COMPLETED, US_PLAN_DONE, US_PLAN_FAILED, US_PLAN_ABORT,
	};
	struct us_source *source = userdata;
	unsigned events = source->events;

	source->events = 0;
	/* A completed transfer has no other result: the next stage would take it for its own. */
	if (events & (1u << US_PLAN_COMPLETED) && source->plan.stage == US_STAGE_TRANSFER)
		events &= ~(1u << US_PLAN_DONE | 1u << US_PLAN_FAILED);
	for (size_t i = 0; i < US_ARRAY_LENGTH(order); i++)
		if (events & (1u << order[i]) && !step(source, order[i]))
			break;
	return 0;
}

static void on_deadline(void *userdata)
{
	struct us_source *source = userdata;

	if (!source->reason.text[0])
		us_refuse(&source->reason, "vm %s: %s did not end in time",
			  us_host_vm_name(source->vm), us_stage_name(source->plan.stage));
	step(source, US_PLAN_TICK);
}

/* ---- Calls ---- */

static void on_gone(void *userdata, struct us_call *call)
{
	struct us_source *source = userdata;

	if (call == source->call)
		source->call = NULL;
	else
		source->abort_call = NULL;
}

void us_migration_abort(struct us_host_vm *vm, struct us_call *call)
{
	struct us_source *source = us_migration_of_vm(vm)->source;

	if (!source || source->abort_call || !us_plan_can_abort(&source->plan)) {
		us_call_fail(call, "Refused", "vm %s: %s", us_host_vm_name(vm),
			     !source ? "no migration is under way: there is nothing to abort"
			     : source->abort_call ? "its migration is being aborted"
						  : "too late: the guest runs at the destination");
		return;
	}
	us_refuse(&source->reason, "vm %s: the migration was aborted", us_host_vm_name(vm));
	source->abort_call = call;
	us_call_on_gone(call, on_gone, source);
	us_source_post(source, US_PLAN_ABORT);
}

/* ---- Start ---- */

static int check_deadline(json_int_t sec, struct us_reason *reason)
{
	if (sec >= 0 && sec <= DEADLINE_MAX_SEC)
		return 0;
	us_refuse(reason, "deadline_sec %" JSON_INTEGER_FORMAT, sec);
	return us_advise(reason, "from 1 to %d, or 0 for none", DEADLINE_MAX_SEC);
}

static int check_modes(const struct us_host_vm *vm, struct us_reason *reason)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm) {
		enum us_mode mode = us_host_pair_spec(pair)->mode;

		if (mode == US_MODE_COMBINED)
			continue;
		us_refuse(reason, "pair %s is %s", us_host_pair_name(pair), us_mode_name(mode));
		return us_advise(reason, "the upper layer runs the migration (understudy prepare, "
					 "finish)");
	}
	return 0;
}

static int check_vm(const struct us_host_vm *vm, struct us_reason *reason)
{
	if (!us_vmm_is_adopted(us_host_vm_vmm(vm)))
		return us_refuse(reason, "vm %s cannot be asked now: %s", us_host_vm_name(vm),
				 us_host_vm_problem(vm));
	if (us_host_vm_facts(vm)->state != US_VM_RUNNING)
		return us_refuse(reason, "vm %s is %s here: only a running one can be migrated",
				 us_host_vm_name(vm),
				 us_vm_state_name(us_host_vm_facts(vm)->state));
	if (us_migration_of_vm(vm)->source ||
	    us_host_vm_facts(vm)->transfer == US_TRANSFER_ACTIVE) {
		us_refuse(reason, "vm %s: a migration is under way", us_host_vm_name(vm));
		return us_advise(reason, "understudy migrate %s --abort ends it",
				 us_host_vm_name(vm));
	}
	return check_modes(vm, reason);
}

static int check(const struct us_host_vm *vm, const json_t *parameters, struct us_reason *reason)
{
	struct us_uri destination;
	int r = check_vm(vm, reason);

	if (r == 0)
		r = us_uri_parse(json_string_value(json_object_get(parameters, "destination")),
				 &destination, reason);
	if (r == 0 && us_vmm_is_domain(us_host_vm_vmm(vm)) && destination.type != US_URI_SSH &&
	    !json_object_get(parameters, "libvirt")) {
		us_refuse(reason, "vm %s is a domain of libvirt", us_host_vm_name(vm));
		r = us_advise(reason, "name the destination's libvirt: "
				      "--to qemu+ssh://HOST/system");
	}
	if (r == 0)
		r = check_deadline(json_integer_value(json_object_get(parameters, "deadline_sec")),
				   reason);
	return r;
}

/*
 * The URI of the destination's libvirtd: as asked for, or by the same transport as its daemon. The
 * caller frees it; NULL without memory.
 */
static char *libvirt_uri(const json_t *parameters)
{
	const char *destination = json_string_value(json_object_get(parameters, "destination"));
	const char *asked = json_string_value(json_object_get(parameters, "libvirt"));
	char *uri = NULL;

	if (asked)
		return strdup(asked);
	return asprintf(&uri, "qemu+%s/system", destination) < 0 ? NULL : uri;
}

static int init(struct us_source *source, const json_t *parameters)
{
	json_t *settings = json_object_get(parameters, "settings");
	json_int_t deadline_sec = json_integer_value(json_object_get(parameters, "deadline_sec"));
	sd_event *loop = us_host_vm_loop(source->vm);
	int r;

	source->settings = json_is_object(settings) ? json_incref(settings) : json_object();
	source->destination = strdup(json_string_value(json_object_get(parameters, "destination")));
	if (!source->destination)
		return -ENOMEM;
	if (us_vmm_is_domain(us_host_vm_vmm(source->vm)))
		source->libvirt = libvirt_uri(parameters);
	if (us_vmm_is_domain(us_host_vm_vmm(source->vm)) && !source->libvirt)
		return -ENOMEM;
	us_plan_init(&source->plan,
		     deadline_sec > 0 ? (uint64_t)deadline_sec * US_USEC_PER_SEC : 0);
	r = sd_event_add_defer(loop, &source->posted, on_posted, source);
	if (r >= 0)
		r = sd_event_source_set_enabled(source->posted, SD_EVENT_OFF);
	if (r >= 0)
		r = us_timer_init(&source->deadline, loop, on_deadline, source);
	if (r >= 0)
		r = sd_event_add_time(loop, &source->ticking, CLOCK_MONOTONIC, 0, 1,
				      us_source_on_tick, source);
	if (r >= 0)
		r = sd_event_source_set_enabled(source->ticking, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int source_new(struct us_source **ret_source, struct us_host_vm *vm,
		      const json_t *parameters)
{
	struct us_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	source->vm = vm;
	us_list_init(&source->deferred.link);
	us_migration_of_vm(vm)->source = source;
	r = init(source, parameters);
	if (r < 0)
		us_source_free(source);
	else
		*ret_source = source;
	return r;
}

void us_migration_start(struct us_host_vm *vm, struct us_call *call, const json_t *parameters)
{
	struct us_source *source;
	struct us_reason reason;
	int r = check(vm, parameters, &reason);

	if (r == 0)
		r = source_new(&source, vm, parameters);
	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		return;
	}
	source->call = call;
	us_call_on_gone(call, on_gone, source);
	us_source_post(source, US_PLAN_START);
}
