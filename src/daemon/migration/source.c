/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration, at its source: asks the plan (core/migration-plan.h) what is to be done and has it
 * done. What comes of that is posted and put to the plan from the loop, one thing at a time. The
 * client who asked may go away; the migration goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "api/codec.h"
#include "api/uri.h"
#include "daemon/rpc/permissions.h"
#include "util/crash-point.h"
#include "daemon/migration/source-private.h"
#include "daemon/migration/settings.h"
#include "util/clock.h"

enum {
	DEADLINE_MAX_SEC = 366 * 24 * 3600,
};

/* ---- Telling ---- */

static json_int_t expected_msec(const struct us_transfer_progress *p)
{
	uint64_t gain = p->bytes_per_sec > p->dirty_bytes_per_sec
				? p->bytes_per_sec - p->dirty_bytes_per_sec
				: 0;

	return gain ? (json_int_t)(p->remaining_bytes * 1000 / gain) : -1;
}

json_t *us_source_progress_json(const struct us_source *m, const char *line, bool is_last)
{
	const struct us_transfer_progress *p = &m->progress;
	const char *at_stop = us_stop_method_name(us_stop_method_of_vm(m->vm));
	json_t *progress =
		json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "stage",
			  us_stage_name(m->plan.stage), "undo", m->plan.is_undoing,
			  "transferred_bytes", (json_int_t)p->transferred_bytes, "remaining_bytes",
			  (json_int_t)p->remaining_bytes, "total_bytes", (json_int_t)p->total_bytes,
			  "bytes_per_sec", (json_int_t)p->bytes_per_sec, "dirty_bytes_per_sec",
			  (json_int_t)p->dirty_bytes_per_sec, "expected_msec", expected_msec(p),
			  "line", line);

	if (at_stop)
		json_object_set_new(progress, "at_stop", json_string(at_stop));
	if (is_last)
		json_object_set_new(progress, "downtime_msec",
				    json_integer((json_int_t)p->downtime_msec));
	return json_pack("{s:o}", "progress", progress);
}

void us_source_warn(struct us_source *m, const char *warning)
{
	json_t *parameters;

	if (!m->call || !us_call_wants_more(m->call))
		return;
	parameters = us_source_progress_json(m, us_stage_name(m->plan.stage), false);
	json_object_set_new(json_object_get(parameters, "progress"), "warning",
			    us_wire_string(warning));
	us_call_continue(m->call, parameters);
}

static void tell_stage(struct us_source *m)
{
	const char *stage = us_stage_name(m->plan.stage);
	const char *at_stop = us_stop_method_name(us_stop_method_of_vm(m->vm));
	bool tells_way = at_stop && m->plan.stage == US_STAGE_TRANSFER && !m->plan.is_undoing;
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migration to %s: %s%s%s%s", m->vm->name,
		 m->destination, m->plan.is_undoing ? "undo " : "", stage,
		 tells_way ? ", frames at the stop: " : "", tells_way ? at_stop : "");
	us_publish_stage(m->vm, stage, line);
	if (m->call && us_call_wants_more(m->call))
		us_call_continue(m->call, us_source_progress_json(m, line, false));
}

/* ---- Posting ---- */

void us_source_post(struct us_source *m, enum us_plan_event_type event)
{
	m->events |= 1u << event;
	sd_event_source_set_enabled(m->posted, SD_EVENT_ONESHOT);
}

/* The words are the destination's, not ours. */
static bool is_elsewhere(const struct us_source *m)
{
	return m->plan.stage == US_STAGE_RESERVE || m->plan.stage == US_STAGE_ARRIVE ||
	       m->plan.stage == US_STAGE_HANDOFF;
}

void us_source_fail(struct us_source *m, const char *why)
{
	if (!m->reason.text[0])
		us_refuse(&m->reason, "vm %s: %s%s%s: %s", m->vm->name,
			  us_stage_name(m->plan.stage), is_elsewhere(m) ? " at " : "",
			  is_elsewhere(m) ? m->destination : "", why);
	if (us_stage_is_past_return(
		    m->plan.stage)) { /* it succeeds all the same, and may lack this */
		us_log(LOG_WARNING, "%s", m->reason.text);
		us_source_warn(m, m->reason.text);
	}
	us_source_post(m, US_PLAN_FAILED);
}

void us_source_fail_with(struct us_source *m, int r, const char *why)
{
	us_source_fail(m, why && *why ? why : us_strerror(r));
}

bool us_source_is_doing(const struct us_source *m, enum us_stage stage)
{
	return m->plan.stage == stage && !m->plan.is_undoing;
}

/* ---- The end ---- */

static void end_call(struct us_source *m, bool succeeded)
{
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migrated to %s", m->vm->name, m->destination);
	us_publish_stage(m->vm, succeeded ? "done" : "failed", succeeded ? line : m->reason.text);
	if (m->call && succeeded)
		us_call_reply(US_STEAL(m->call), us_source_progress_json(m, line, true));
	else if (m->call)
		us_call_fail(US_STEAL(m->call), "Failed", "%s", m->reason.text);
	if (m->abort_call && succeeded)
		us_call_fail(US_STEAL(m->abort_call), "Refused",
			     "vm %s: too late: it runs at the destination", m->vm->name);
	else if (m->abort_call)
		us_call_reply(US_STEAL(m->abort_call), NULL);
}

static void on_last_progress(void *userdata, int r, const struct us_reason *reason,
			     const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;

	if (!vm->migration)
		return;
	if (r == 0)
		vm->migration->progress = *progress;
	end_call(vm->migration, true);
	us_source_free(vm->migration);
}

static void succeed(struct us_source *m)
{
	if (us_vmm_query_transfer(m->vm->vmm, on_last_progress, m->vm) < 0) {
		end_call(m, true);
		us_source_free(m);
	}
}

void us_source_free(struct us_source *m)
{
	struct us_host_vm *vm = m ? m->vm : NULL;

	if (!m)
		return;
	if (m->call || m->abort_call) {
		us_refuse(&m->reason, "vm %s: it was detached", m->vm->name);
		end_call(m, false);
	}
	us_source_stop_waiting(m);
	us_handoff_free(m->handoff);
	us_guest_stop_forget(m->vm);
	us_client_free(m->client);
	us_client_free(m->carrier);
	sd_event_source_disable_unref(m->posted);
	sd_event_source_disable_unref(m->deadline);
	sd_event_source_disable_unref(m->ticking);
	m->vm->migration = NULL;
	json_decref(m->settings);
	free(m->destination);
	free(m->uri);
	free(m);
	us_migration_settings_restore(vm);
}

/* ---- The plan ---- */

static void arm_deadline(struct us_source *m)
{
	if (m->plan.deadline == US_NEVER) {
		sd_event_source_set_enabled(m->deadline, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(m->deadline, m->plan.deadline);
	sd_event_source_set_enabled(m->deadline, SD_EVENT_ONESHOT);
}

/* Returns false when the migration is over and @m is gone. */
static bool step(struct us_source *m, enum us_plan_event_type event)
{
	enum us_plan_order order = us_plan_step(&m->plan, event, us_now_usec());

	arm_deadline(m);
	if (m->plan.stage != US_STAGE_TRANSFER || m->plan.is_undoing)
		sd_event_source_set_enabled(m->ticking, SD_EVENT_OFF);
	switch (order) {
	case US_PLAN_DO:
		tell_stage(m);
		us_source_do(m);
		us_crash_point("migrate", us_stage_name(m->plan.stage), NULL);
		return true;
	case US_PLAN_UNDO:
		tell_stage(m);
		us_source_undo(m);
		us_crash_point("migrate", "undo", us_stage_name(m->plan.stage));
		return true;
	case US_PLAN_SUCCEED:
		succeed(m);
		return false;
	case US_PLAN_FAIL:
		end_call(m, false);
		us_source_free(m);
		return false;
	default:
		return true;
	}
}

static int on_posted(sd_event_source *source, void *userdata)
{
	/* An answer counts before a wish that came with it: it answers what was ordered before. */
	static const enum us_plan_event_type order[] = {
		US_PLAN_START, US_PLAN_COMPLETED, US_PLAN_DONE, US_PLAN_FAILED, US_PLAN_ABORT,
	};
	struct us_source *m = userdata;
	unsigned events = m->events;

	m->events = 0;
	/* Whatever else was said of a transfer that completed says nothing of the next stage. */
	if (events & (1u << US_PLAN_COMPLETED) && m->plan.stage == US_STAGE_TRANSFER)
		events &= ~(1u << US_PLAN_DONE | 1u << US_PLAN_FAILED);
	for (size_t i = 0; i < US_ARRAY_LENGTH(order); i++)
		if (events & (1u << order[i]) && !step(m, order[i]))
			break;
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_source *m = userdata;

	if (!m->reason.text[0])
		us_refuse(&m->reason, "vm %s: %s did not end in time", m->vm->name,
			  us_stage_name(m->plan.stage));
	step(m, US_PLAN_TICK);
	return 0;
}

/* ---- Asking for it ---- */

static void on_call_gone(void *userdata, struct us_call *call)
{
	((struct us_source *)userdata)->call = NULL;
}

static void on_abort_gone(void *userdata, struct us_call *call)
{
	((struct us_source *)userdata)->abort_call = NULL;
}

void us_migration_abort(struct us_host_vm *vm, struct us_call *call)
{
	struct us_source *m = vm->migration;

	if (!m || m->abort_call || !us_plan_can_abort(&m->plan)) {
		us_call_fail(call, "Refused", "vm %s: %s", vm->name,
			     !m ? "no migration is under way: there is nothing to abort"
			     : m->abort_call ? "its migration is being aborted"
					     : "too late: it runs at the destination");
		return;
	}
	us_refuse(&m->reason, "vm %s: the migration was aborted", vm->name);
	m->abort_call = call;
	us_call_on_gone(call, on_abort_gone, m);
	us_source_post(m, US_PLAN_ABORT);
}

static int check_deadline(json_int_t sec, struct us_reason *reason)
{
	if (sec >= 0 && sec <= DEADLINE_MAX_SEC)
		return 0;
	return us_refuse(reason,
			 "deadline_sec %" JSON_INTEGER_FORMAT ": from 1 to %d, or 0 for none", sec,
			 DEADLINE_MAX_SEC);
}

static int check(const struct us_host_vm *vm, struct us_reason *reason)
{
	struct us_host_pair *pair;

	if (!us_vmm_is_adopted(vm->vmm))
		return us_refuse(reason, "vm %s cannot be asked now: %s", vm->name,
				 us_optional_text(vm->problem));
	if (vm->state != US_VM_RUNNING)
		return us_refuse(reason, "vm %s is %s here: only a running one can be migrated",
				 vm->name, us_vm_state_name(vm->state));
	if (vm->migration || vm->transfer == US_TRANSFER_ACTIVE)
		return us_refuse(reason,
				 "vm %s: a migration is under way: understudy migrate %s "
				 "--abort ends it",
				 vm->name, vm->name);
	us_list_for_each (pair, &vm->pairs, link)
		if (pair->engine.config.mode != US_MODE_COMBINED)
			return us_refuse(reason,
					 "pair %s is %s: the upper layer runs the migration "
					 "(understudy prepare, finish)",
					 pair->name, us_mode_name(pair->engine.config.mode));
	return 0;
}

static int migration_new(struct us_source **ret_migration, struct us_host_vm *vm,
			 const json_t *parameters)
{
	json_t *settings = json_object_get(parameters, "settings");
	json_int_t deadline_sec = json_integer_value(json_object_get(parameters, "deadline_sec"));
	struct us_source *m = calloc(1, sizeof(*m));
	sd_event *loop = vm->daemon->loop;
	int r;

	if (!m)
		return -ENOMEM;
	m->vm = vm;
	m->settings = json_is_object(settings) ? json_incref(settings) : json_object();
	m->destination = strdup(json_string_value(json_object_get(parameters, "destination")));
	us_plan_init(&m->plan, deadline_sec > 0 ? (uint64_t)deadline_sec * US_USEC_PER_SEC : 0);
	r = m->destination ? sd_event_add_defer(loop, &m->posted, on_posted, m) : -ENOMEM;
	if (r >= 0)
		r = sd_event_source_set_enabled(m->posted, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(loop, &m->deadline, CLOCK_MONOTONIC, 0, 1, on_deadline, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->deadline, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(loop, &m->ticking, CLOCK_MONOTONIC, 0, 0, us_source_on_tick,
				      m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->ticking, SD_EVENT_OFF);
	vm->migration = m;
	if (r < 0) {
		us_source_free(m);
		return r;
	}
	*ret_migration = m;
	return 0;
}

void us_migration_start(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call,
			const json_t *parameters)
{
	struct us_source *m;
	struct us_uri destination;
	struct us_reason reason = { .text = "" };
	int r = check(vm, &reason);

	if (r == 0)
		r = us_uri_parse(json_string_value(json_object_get(parameters, "destination")),
				 &destination, &reason);
	if (r == 0)
		r = us_allow(daemon->config_path, us_call_uid(call), US_ALLOW_DESTINATION,
			     json_string_value(json_object_get(parameters, "destination")),
			     &reason);
	if (r == 0)
		r = check_deadline(json_integer_value(json_object_get(parameters, "deadline_sec")),
				   &reason);
	if (r == 0)
		r = migration_new(&m, vm, parameters);
	if (r != 0) {
		us_call_fail(call, "Refused", "%s", r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	m->call = call;
	us_call_on_gone(call, on_call_gone, m);
	us_source_post(m, US_PLAN_START);
}
