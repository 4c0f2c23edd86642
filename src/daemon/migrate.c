/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration, at its source: performs the orders of the plan (core/migration.h). What comes of
 * them is posted and put to the plan from the loop, one thing at a time. The client who asked
 * may go away; the migration goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "core/stop.h"
#include "daemon/crash.h"
#include "daemon/daemon.h"
#include "daemon/handoff.h"
#include "util/clock.h"

enum {
	PROGRESS_USEC = 500 * 1000,
	DOWNTIME_MSEC = 300, /* QEMU's downtime-limit, if nothing else is set */
};

struct us_migration {
	struct us_host_vm *vm;
	struct us_call *call, *abort_call; /* NULL once answered or gone */
	struct us_client *client;	   /* of the destination's daemon, busy with Receive */
	struct us_client *carrier;	   /* … and another, for the handoff */
	struct us_waiter waiter;	   /* for the pairs: hidden, or as before */
	struct us_plan plan;
	struct us_handoff *handoff;
	sd_event_source *posted, *deadline, *ticking;
	unsigned events; /* posted: 1 << enum us_plan_event_type */
	char *destination, *uri;
	json_t *settings;
	bool is_waiting;
	bool start_asked; /* QEMU was told to migrate */
	bool is_stopped;  /* its guest, for the end of the transfer */
	bool has_arrived;
	struct us_stop stop;	 /* when that will be, if frames have to be parked before */
	uint64_t told_usec;	 /* the client, of the progress */
	struct us_reason reason; /* the first thing that went wrong */
	struct us_transfer_progress progress;
};

/* ---- Telling ---- */

static json_int_t expected_msec(const struct us_transfer_progress *p)
{
	uint64_t gain = p->bytes_per_sec > p->dirty_bytes_per_sec
				? p->bytes_per_sec - p->dirty_bytes_per_sec
				: 0;

	return gain ? (json_int_t)(p->remaining_bytes * 1000 / gain) : -1;
}

static json_t *progress_json(const struct us_migration *m, const char *line, bool is_last)
{
	const struct us_transfer_progress *p = &m->progress;
	const char *at_stop = us_at_stop_name(us_handoff_at_stop(m->vm));
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

static void tell_stage(struct us_migration *m)
{
	const char *stage = us_stage_name(m->plan.stage);
	const char *at_stop = us_at_stop_name(us_handoff_at_stop(m->vm));
	bool tells_way = at_stop && m->plan.stage == US_STAGE_TRANSFER && !m->plan.is_undoing;
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migration to %s: %s%s%s%s", m->vm->name,
		 m->destination, m->plan.is_undoing ? "undo " : "", stage,
		 tells_way ? ", frames at the stop: " : "", tells_way ? at_stop : "");
	us_publish_stage(m->vm, stage, line);
	if (m->call && us_call_wants_more(m->call))
		us_call_continue(m->call, progress_json(m, line, false));
}

/* ---- Posting ---- */

static void post(struct us_migration *m, enum us_plan_event_type event)
{
	m->events |= 1u << event;
	sd_event_source_set_enabled(m->posted, SD_EVENT_ONESHOT);
}

/* The words are the destination's, not ours. */
static bool is_elsewhere(const struct us_migration *m)
{
	return m->plan.stage == US_STAGE_RESERVE || m->plan.stage == US_STAGE_ARRIVE ||
	       m->plan.stage == US_STAGE_HANDOFF;
}

/* Something went wrong with what is under way; only the first reason is told. */
static void fail(struct us_migration *m, const char *why)
{
	if (!m->reason.text[0])
		us_refuse(&m->reason, "vm %s: %s%s%s: %s", m->vm->name,
			  us_stage_name(m->plan.stage), is_elsewhere(m) ? " at " : "",
			  is_elsewhere(m) ? m->destination : "", why);
	post(m, US_PLAN_FAILED);
}

static void fail_with(struct us_migration *m, int r, const char *why)
{
	fail(m, why && *why ? why : us_strerror(r));
}

static bool is_doing(const struct us_migration *m, enum us_stage stage)
{
	return m->plan.stage == stage && !m->plan.is_undoing;
}

/* ---- check, reserve: the destination's daemon ---- */

static const char *message_of(const char *error, const json_t *parameters)
{
	const char *message = json_string_value(json_object_get(parameters, "message"));

	return message ? message : error;
}

static void on_status(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_migration *m = userdata;

	if (!is_doing(m, US_STAGE_CHECK))
		return;
	if (error)
		fail(m, message_of(error, parameters));
	else
		post(m, US_PLAN_DONE);
}

static void do_check(struct us_migration *m)
{
	int r = us_client_new(&m->client, m->vm->daemon->loop, m->destination);
	struct us_host_pair *pair;
	struct us_reason why;

	us_list_for_each (pair, &m->vm->pairs, link)
		us_handoff_probe(pair, true);

	if (r == 0)
		r = us_client_new(&m->carrier, m->vm->daemon->loop, m->destination);
	if (r == 0)
		r = us_client_call(m->client, "GetStatus", NULL, false, on_status, m);
	if (r < 0) {
		us_refuse(&why, "no understudyd at %s: %s: start it there, or name another host",
			  m->destination, us_strerror(r));
		fail(m, why.text);
	}
}

static void on_receive(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_migration *m = userdata;
	const char *uri = json_string_value(json_object_get(parameters, "uri"));

	if (error) {
		/* While it undoes, or when nothing depends on it, this is no news. */
		if (!m->plan.is_undoing && !m->has_arrived)
			fail(m, message_of(error, parameters));
	} else if (json_is_true(json_object_get(parameters, "arrived"))) {
		m->has_arrived = true;
		if (is_doing(m, US_STAGE_ARRIVE))
			post(m, US_PLAN_DONE);
	} else if (is_doing(m, US_STAGE_RESERVE) && uri && !m->uri) {
		m->uri = strdup(uri);
		post(m, US_PLAN_DONE);
	}
}

static json_t *wanted_json(const struct us_host_vm *vm)
{
	json_t *wanted = json_array();
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link) {
		char mac[18];

		us_mac_text(pair->mac, mac);
		json_array_append_new(
			wanted, json_pack("{s:s, s:s*, s:s, s:i, s:i}", "name", pair->name, "group",
					  pair->group[0] ? pair->group : NULL, "mac", mac, "mtu",
					  pair->mtu, "queues", pair->queue_pairs));
	}
	return wanted;
}

static void do_reserve(struct us_migration *m)
{
	json_t *parameters = json_pack("{s:s, s:o, s:O}", "vm", m->vm->name, "pairs",
				       wanted_json(m->vm), "settings", m->settings);
	int r = us_client_call(m->client, "Receive", parameters, true, on_receive, m);

	if (r < 0)
		fail(m, us_strerror(r));
}

static void undo_reserve(struct us_migration *m)
{
	us_client_free(US_STEAL(m->client)); /* the destination lets go by itself */
	post(m, US_PLAN_DONE);
}

/* ---- hide: this VM's pairs ---- */

static void stop_waiting(struct us_migration *m)
{
	if (m->is_waiting)
		us_list_remove(&m->waiter.link);
	m->is_waiting = false;
}

/* For the hide: all hidden, or one that the guest does not let go. For its undo: all at rest. */
static bool check_pairs(struct us_waiter *waiter)
{
	struct us_migration *m = US_CONTAINER_OF(waiter, struct us_migration, waiter);
	struct us_host_pair *pair;
	struct us_reason why;
	bool done = true;

	us_list_for_each (pair, &m->vm->pairs, link) {
		if (m->plan.is_undoing) {
			done &= us_pair_is_settled(&pair->engine);
		} else if (us_host_pair_is_overdue(pair)) {
			us_refuse(&why, "pair %s: %s %s: see the guest's log", pair->name,
				  us_why_text(pair->engine.why), us_words(pair->detail));
			fail(m, why.text);
			stop_waiting(m);
			return true;
		} else {
			done &= us_pair_may_migrate(&pair->engine);
		}
	}
	if (!done)
		return false;
	stop_waiting(m);
	post(m, US_PLAN_DONE);
	return true;
}

static void waiting_vm_gone(struct us_waiter *waiter)
{
	stop_waiting(US_CONTAINER_OF(waiter, struct us_migration, waiter));
}

static void wait_for_pairs(struct us_migration *m, enum us_event_type wish)
{
	us_host_vm_feed(m->vm, &(struct us_event){ .type = wish });
	stop_waiting(m);
	m->is_waiting = true;
	m->waiter.check = check_pairs;
	m->waiter.vm_gone = waiting_vm_gone;
	us_daemon_wait(m->vm, &m->waiter);
}

/* ---- transfer: QEMU ---- */

/* What the user set, if it is a plain number, as it should be. */
static uint64_t downtime_usec(const struct us_migration *m)
{
	const char *text = json_string_value(json_object_get(m->settings, "downtime-limit"));
	long msec = text ? strtol(text, NULL, 10) : 0;

	return (msec > 0 && msec < 2000000 ? msec : DOWNTIME_MSEC) * US_USEC_PER_MSEC;
}

static bool must_expect_stop(const struct us_migration *m)
{
	return m->start_asked && !m->is_stopped && us_handoff_at_stop(m->vm) == US_AT_STOP_PREDICT;
}

/* Parks before the stop if what QEMU then has not read could not be had. */
static void expect_stop(struct us_migration *m)
{
	const struct us_transfer_progress *p = &m->progress;

	if (!must_expect_stop(m))
		return;
	us_stop_look(&m->stop, us_now_usec(), p->total_bytes, p->remaining_bytes, p->bytes_per_sec);
	us_handoff_expect_stop(m->vm, m->stop.is_near);
	sd_event_source_set_time_relative(m->ticking, m->stop.next_usec);
}

/* QEMU's answers carry the VM: the migration may be over when they come. */
static void on_progress(void *userdata, int r, const char *why,
			const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;
	struct us_migration *m = vm->migration;

	if (!m || r != 0)
		return;
	m->progress = *progress;
	if (!is_doing(m, US_STAGE_TRANSFER))
		return;
	expect_stop(m);
	if (us_now_usec() - m->told_usec < PROGRESS_USEC || !m->call ||
	    !us_call_wants_more(m->call))
		return;
	m->told_usec = us_now_usec();
	us_call_continue(m->call, progress_json(m, "transfer", false));
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_migration *m = userdata;

	us_vm_query_transfer(m->vm->vm, on_progress, m->vm);
	sd_event_source_set_time_relative(source, PROGRESS_USEC);
	return 0;
}

static void on_started(void *userdata, int r, const char *why)
{
	struct us_host_vm *vm = userdata;

	if (!vm->migration || !is_doing(vm->migration, US_STAGE_TRANSFER))
		return;
	us_crash_point("migrate", "started", NULL);
	if (r != 0)
		fail_with(vm->migration, r, why);
	else if (must_expect_stop(vm->migration))
		sd_event_source_set_time_relative(vm->migration->ticking, 0);
}

static void on_configured(void *userdata, int r, const char *why)
{
	struct us_host_vm *vm = userdata;
	struct us_migration *m = vm->migration;

	if (!m || !is_doing(m, US_STAGE_TRANSFER) || m->start_asked)
		return;
	if (r == 0 && !us_host_vm_may_migrate(vm))
		r = us_refuse(NULL, "-"), why = "a primary is visible again";
	if (r == 0) {
		m->start_asked = true;
		us_handoff_expected(vm);
		r = us_vm_start_transfer(vm->vm, m->uri, on_started, vm);
	}
	if (r != 0)
		fail_with(m, r, why);
}

static void do_transfer(struct us_migration *m)
{
	int r;

	us_stop_init(&m->stop, downtime_usec(m));
	r = us_vm_configure_transfer(m->vm->vm, m->settings, on_configured, m->vm);

	if (r < 0) {
		fail(m, us_strerror(r));
		return;
	}
	sd_event_source_set_time_relative(m->ticking, PROGRESS_USEC);
	sd_event_source_set_enabled(m->ticking, SD_EVENT_ON);
}

/* The end of the transfer is told by QEMU's own event; if there was none, by this answer. */
static void on_cancelled(void *userdata, int r, const char *why)
{
	struct us_host_vm *vm = userdata;
	struct us_migration *m = vm->migration;

	if (m && m->plan.stage == US_STAGE_TRANSFER && m->plan.is_undoing &&
	    vm->transfer != US_TRANSFER_ACTIVE)
		post(m, US_PLAN_DONE);
}

static void undo_transfer(struct us_migration *m)
{
	if (!m->start_asked)
		post(m, US_PLAN_DONE);
	else if (us_vm_cancel_transfer(m->vm->vm, on_cancelled, m->vm) < 0)
		post(m, US_PLAN_FAILED);
}

/* Why it failed is not in the event. */
static void on_failed_progress(void *userdata, int r, const char *why,
			       const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;

	if (vm->migration && is_doing(vm->migration, US_STAGE_TRANSFER))
		fail(vm->migration,
		     r == 0 && progress->error[0]
			     ? progress->error
			     : "QEMU's migration failed: see its log and the destination's");
}

void us_migrate_transfer(struct us_host_vm *vm, enum us_transfer transfer)
{
	struct us_migration *m = vm->migration;

	if (!m || m->plan.stage != US_STAGE_TRANSFER || !m->start_asked)
		return;
	if (transfer == US_TRANSFER_COMPLETED)
		post(m, US_PLAN_COMPLETED);
	else if (transfer != US_TRANSFER_FAILED && transfer != US_TRANSFER_CANCELLED)
		return;
	else if (m->plan.is_undoing)
		post(m, US_PLAN_DONE);
	else
		us_vm_query_transfer(vm->vm, on_failed_progress, vm);
}

void us_migrate_vm_lost(struct us_host_vm *vm, const char *why)
{
	if (vm->migration && !us_stage_is_past_return(vm->migration->plan.stage))
		fail(vm->migration, why);
}

/* ---- handoff ---- */

static void on_handed_off(void *userdata, int r, const char *why)
{
	struct us_migration *m = userdata;

	if (!is_doing(m, US_STAGE_HANDOFF))
		return;
	us_log(LOG_INFO, "vm %s: %zu frames handed off", m->vm->name,
	       us_handoff_frames(m->handoff));
	if (r != 0)
		fail_with(m, r, why);
	else
		post(m, US_PLAN_DONE);
}

/* QEMU has answered, so it has been through its loop since the stop, and read what it reads. */
static void on_read(void *userdata, int r, const char *why,
		    const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;
	struct us_migration *m = vm->migration;

	if (!m || !is_doing(m, US_STAGE_HANDOFF) || m->handoff)
		return;
	if (r == 0)
		m->progress = *progress;
	us_handoff_drain(vm);
	r = us_handoff_new(&m->handoff, vm, m->carrier, on_handed_off, m);
	if (r < 0)
		fail(m, us_strerror(r));
}

static void do_handoff(struct us_migration *m)
{
	if (us_vm_query_transfer(m->vm->vm, on_read, m->vm) < 0)
		on_read(m->vm, -ENOTCONN, NULL, NULL);
}

void us_migrate_stopped(struct us_host_vm *vm, bool stopped, uint64_t age_usec)
{
	struct us_migration *m = vm->migration;

	if (!m || m->plan.stage != US_STAGE_TRANSFER || !m->start_asked)
		return;
	m->is_stopped = stopped;
	if (stopped)
		us_handoff_stopped(vm, m->carrier, age_usec);
	else
		us_handoff_resumed(vm, m->carrier);
}

/* ---- The end ---- */

static void end_call(struct us_migration *m, bool succeeded)
{
	char line[256];

	snprintf(line, sizeof(line), "vm %s: migrated to %s", m->vm->name, m->destination);
	us_publish_stage(m->vm, succeeded ? "done" : "failed", succeeded ? line : m->reason.text);
	if (m->call && succeeded)
		us_call_reply(US_STEAL(m->call), progress_json(m, line, true));
	else if (m->call)
		us_call_fail(US_STEAL(m->call), "Failed", "%s", m->reason.text);
	if (m->abort_call && succeeded)
		us_call_fail(US_STEAL(m->abort_call), "Refused",
			     "vm %s: too late: it runs at the destination", m->vm->name);
	else if (m->abort_call)
		us_call_reply(US_STEAL(m->abort_call), NULL);
}

static void on_last_progress(void *userdata, int r, const char *why,
			     const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;

	if (!vm->migration)
		return;
	if (r == 0)
		vm->migration->progress = *progress;
	end_call(vm->migration, true);
	us_migrate_free(vm->migration);
}

static void succeed(struct us_migration *m)
{
	if (us_vm_query_transfer(m->vm->vm, on_last_progress, m->vm) < 0) {
		end_call(m, true);
		us_migrate_free(m);
	}
}

void us_migrate_free(struct us_migration *m)
{
	if (!m)
		return;
	if (m->call || m->abort_call) {
		us_refuse(&m->reason, "vm %s: it was detached", m->vm->name);
		end_call(m, false);
	}
	stop_waiting(m);
	us_handoff_free(m->handoff);
	us_handoff_over(m->vm);
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
}

/* ---- The plan ---- */

static void do_stage(struct us_migration *m)
{
	switch (m->plan.stage) {
	case US_STAGE_CHECK:
		do_check(m);
		break;
	case US_STAGE_RESERVE:
		do_reserve(m);
		break;
	case US_STAGE_HIDE:
		wait_for_pairs(m, US_EVENT_PREPARE);
		break;
	case US_STAGE_TRANSFER:
		do_transfer(m);
		break;
	case US_STAGE_ARRIVE:
		if (m->has_arrived)
			post(m, US_PLAN_DONE);
		break;
	case US_STAGE_HANDOFF:
		do_handoff(m);
		break;
	case US_STAGE_RELEASE:
		us_host_vm_feed(m->vm, &(struct us_event){ .type = US_EVENT_FINISH });
		post(m, US_PLAN_DONE);
		break;
	default:
		break;
	}
}

static void undo_stage(struct us_migration *m)
{
	switch (m->plan.stage) {
	case US_STAGE_RESERVE:
		undo_reserve(m);
		break;
	case US_STAGE_HIDE:
		wait_for_pairs(m, US_EVENT_FINISH);
		break;
	case US_STAGE_TRANSFER:
		undo_transfer(m);
		break;
	default:
		break;
	}
}

static void arm_deadline(struct us_migration *m)
{
	if (m->plan.deadline == US_NEVER) {
		sd_event_source_set_enabled(m->deadline, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(m->deadline, m->plan.deadline);
	sd_event_source_set_enabled(m->deadline, SD_EVENT_ONESHOT);
}

/* Returns false when the migration is over and @m is gone. */
static bool step(struct us_migration *m, enum us_plan_event_type event)
{
	enum us_plan_order order = us_plan_step(&m->plan, event, us_now_usec());

	arm_deadline(m);
	if (m->plan.stage != US_STAGE_TRANSFER || m->plan.is_undoing)
		sd_event_source_set_enabled(m->ticking, SD_EVENT_OFF);
	switch (order) {
	case US_PLAN_DO:
		tell_stage(m);
		do_stage(m);
		us_crash_point("migrate", us_stage_name(m->plan.stage), NULL);
		return true;
	case US_PLAN_UNDO:
		tell_stage(m);
		undo_stage(m);
		us_crash_point("migrate", "undo", us_stage_name(m->plan.stage));
		return true;
	case US_PLAN_SUCCEED:
		succeed(m);
		return false;
	case US_PLAN_FAIL:
		end_call(m, false);
		us_migrate_free(m);
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
	struct us_migration *m = userdata;
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
	struct us_migration *m = userdata;

	if (!m->reason.text[0])
		us_refuse(&m->reason, "vm %s: %s did not end in time", m->vm->name,
			  us_stage_name(m->plan.stage));
	step(m, US_PLAN_TICK);
	return 0;
}

/* ---- Asking for it ---- */

static void on_call_gone(void *userdata, struct us_call *call)
{
	((struct us_migration *)userdata)->call = NULL;
}

static void on_abort_gone(void *userdata, struct us_call *call)
{
	((struct us_migration *)userdata)->abort_call = NULL;
}

void us_migrate_abort(struct us_host_vm *vm, struct us_call *call)
{
	struct us_migration *m = vm->migration;

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
	post(m, US_PLAN_ABORT);
}

static int check(const struct us_host_vm *vm, struct us_reason *reason)
{
	struct us_host_pair *pair;

	if (!us_vm_is_adopted(vm->vm))
		return us_refuse(reason, "vm %s cannot be asked now: %s", vm->name,
				 us_words(vm->problem));
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

static int migration_new(struct us_migration **ret_migration, struct us_host_vm *vm,
			 const json_t *parameters)
{
	json_t *settings = json_object_get(parameters, "settings");
	json_int_t deadline_sec = json_integer_value(json_object_get(parameters, "deadline_sec"));
	struct us_migration *m = calloc(1, sizeof(*m));
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
		r = sd_event_add_time(loop, &m->ticking, CLOCK_MONOTONIC, 0, 0, on_tick, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->ticking, SD_EVENT_OFF);
	vm->migration = m;
	if (r < 0) {
		us_migrate_free(m);
		return r;
	}
	*ret_migration = m;
	return 0;
}

void us_migrate(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call,
		const json_t *parameters)
{
	struct us_migration *m;
	struct us_reason reason = { "" };
	int r = check(vm, &reason);

	if (r == 0)
		r = migration_new(&m, vm, parameters);
	if (r != 0) {
		us_call_fail(call, "Refused", "%s", r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	m->call = call;
	us_call_on_gone(call, on_call_gone, m);
	post(m, US_PLAN_START);
}
