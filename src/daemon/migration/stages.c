/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages of a migration, at its source: each is begun by us_source_do(), undone by
 * us_source_undo(), and its end is posted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "api/client.h"
#include "util/crash-point.h"
#include "daemon/migration/source-private.h"
#include "daemon/migration/settings.h"
#include "util/clock.h"

enum {
	PROGRESS_USEC = 500 * 1000,
	ANSWER_BYTES_MAX = 1024 * 1024, /* of the destination's daemon: none comes near it */
	DOWNTIME_MSEC = 300,		/* QEMU's downtime-limit, if nothing else is set */
};

/* ---- check, reserve: the destination's daemon ---- */

static const char *message_of(const char *error, const json_t *parameters)
{
	const char *message = json_string_value(json_object_get(parameters, "message"));

	return message ? message : error;
}

/* One that is older says nothing of it. */
static int check_protocol(const json_t *status, struct us_reason *reason)
{
	const json_t *protocol = json_object_get(status, "protocol");
	const char *version = json_string_value(json_object_get(status, "version"));
	json_int_t theirs = json_is_integer(protocol) ? json_integer_value(protocol) : 1;

	if (theirs == US_PEER_PROTOCOL)
		return 0;
	return us_refuse(reason,
			 "the destination's understudyd (%.30s) speaks version %d of the migration "
			 "protocol, this one (" US_VERSION ") version %d: update the older one; no "
			 "VM has to move for that",
			 version ? version : "of no version", (int)theirs, US_PEER_PROTOCOL);
}

static void on_status(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_source *m = userdata;
	struct us_reason why;

	if (!us_source_is_doing(m, US_STAGE_CHECK))
		return;
	if (error)
		us_source_fail(m, message_of(error, parameters));
	else if (check_protocol(parameters, &why) != 0)
		us_source_fail(m, why.text);
	else
		us_source_post(m, US_PLAN_DONE);
}

static int connect_to(struct us_source *m, struct us_client **ret_client)
{
	return us_client_new_limited(ret_client, m->vm->daemon->loop, m->destination,
				     ANSWER_BYTES_MAX);
}

static void do_check(struct us_source *m)
{
	int r = connect_to(m, &m->client);
	struct us_host_pair *pair;
	struct us_reason why;

	us_list_for_each (pair, &m->vm->pairs, link)
		us_stop_method_prepare(pair);

	if (r == 0)
		r = connect_to(m, &m->carrier);
	if (r == 0)
		r = us_client_call(m->client, "GetStatus", NULL, false, on_status, m);
	if (r < 0) {
		us_refuse(&why, "no understudyd at %s: %s: start it there, or name another host",
			  m->destination, us_strerror(r));
		us_source_fail(m, why.text);
	}
}

static void take_uri(struct us_source *m, const char *uri, const char *token)
{
	char reached[256];

	if (!token ||
	    (size_t)snprintf(m->token, sizeof(m->token), "%s", token) >= sizeof(m->token)) {
		us_source_fail(m, "the destination does not say how it admits frames");
		return;
	}
	if (us_migration_reach(m->destination, uri, reached, sizeof(reached)) < 0) {
		us_source_fail(m, "the destination does not say where its QEMU listens");
		return;
	}
	m->uri = strdup(reached);
	us_source_post(m, US_PLAN_DONE);
}

static void on_receive(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_source *m = userdata;
	const char *uri = json_string_value(json_object_get(parameters, "uri"));
	const char *token = json_string_value(json_object_get(parameters, "token"));

	if (error) {
		/* While it undoes, or when nothing depends on it, this is no news. */
		if (!m->plan.is_undoing && !m->has_arrived)
			us_source_fail(m, message_of(error, parameters));
	} else if (json_is_true(json_object_get(parameters, "arrived"))) {
		m->has_arrived = true;
		if (us_source_is_doing(m, US_STAGE_ARRIVE))
			us_source_post(m, US_PLAN_DONE);
	} else if (us_source_is_doing(m, US_STAGE_RESERVE) && uri && !m->uri) {
		take_uri(m, uri, token);
	}
}

static json_t *wanted_json(const struct us_host_vm *vm)
{
	json_t *wanted = json_array();
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link) {
		char mac[US_MAC_TEXT_SIZE];

		us_mac_text(pair->mac, mac);
		json_array_append_new(
			wanted, json_pack("{s:s, s:s*, s:s, s:i, s:i}", "name", pair->name, "group",
					  pair->group[0] ? pair->group : NULL, "mac", mac, "mtu",
					  pair->mtu, "queues", pair->queue_pairs));
	}
	return wanted;
}

static void do_reserve(struct us_source *m)
{
	json_t *parameters =
		json_pack("{s:s, s:o, s:O, s:i}", "vm", m->vm->name, "pairs", wanted_json(m->vm),
			  "settings", m->settings, "protocol", US_PEER_PROTOCOL);
	int r = us_client_call(m->client, "Receive", parameters, true, on_receive, m);

	if (r < 0)
		us_source_fail(m, us_strerror(r));
}

static void undo_reserve(struct us_source *m)
{
	us_client_free(US_STEAL(m->client)); /* the destination lets go by itself */
	us_source_post(m, US_PLAN_DONE);
}

/* ---- hide: this VM's pairs ---- */

void us_source_stop_waiting(struct us_source *m)
{
	if (m->is_waiting)
		us_list_remove(&m->waiter.link);
	m->is_waiting = false;
}

/* For the hide: all hidden, or one that the guest does not let go. For its undo: all at rest. */
static bool check_pairs(struct us_deferred *waiter)
{
	struct us_source *m = US_CONTAINER_OF(waiter, struct us_source, waiter);
	struct us_host_pair *pair;
	struct us_reason why;
	bool done = true;

	us_list_for_each (pair, &m->vm->pairs, link) {
		if (m->plan.is_undoing) {
			done &= us_pair_is_settled(&pair->engine);
		} else if (us_host_pair_is_overdue(pair)) {
			us_refuse(&why, "pair %s: %s%s%s: see the guest's log", pair->name,
				  us_cause_text(us_pair_cause(&pair->engine)),
				  pair->detail ? ": " : "", us_optional_text(pair->detail));
			us_source_fail(m, why.text);
			us_source_stop_waiting(m);
			return true;
		} else {
			done &= us_pair_may_migrate(&pair->engine);
		}
	}
	if (!done)
		return false;
	us_source_stop_waiting(m);
	us_source_post(m, US_PLAN_DONE);
	return true;
}

static void waiting_vm_gone(struct us_deferred *waiter)
{
	us_source_stop_waiting(US_CONTAINER_OF(waiter, struct us_source, waiter));
}

static void wait_for_pairs(struct us_source *m, enum us_event_type wish)
{
	us_host_vm_feed(m->vm, &(struct us_event){ .type = wish });
	us_source_stop_waiting(m);
	m->is_waiting = true;
	m->waiter.check = check_pairs;
	m->waiter.vm_gone = waiting_vm_gone;
	us_deferred_add(m->vm, &m->waiter);
}

/* ---- transfer: QEMU ---- */

/* What the user set, if it is a plain number, as it should be. */
static uint64_t downtime_usec(const struct us_source *m)
{
	const char *text = json_string_value(json_object_get(m->settings, "downtime-limit"));
	long msec = text ? strtol(text, NULL, 10) : 0;

	return (msec > 0 && msec < 2000000 ? msec : DOWNTIME_MSEC) * US_USEC_PER_MSEC;
}

static bool must_expect_stop(const struct us_source *m)
{
	return m->start_asked && !m->is_stopped &&
	       us_stop_method_of_vm(m->vm) == US_STOP_METHOD_PREDICT;
}

/* Parks before the stop if what QEMU then has not read could not be had. */
static void expect_stop(struct us_source *m)
{
	const struct us_transfer_progress *p = &m->progress;

	if (!must_expect_stop(m))
		return;
	us_stop_prediction_update(&m->stop, us_now_usec(), p->total_bytes, p->remaining_bytes,
				  p->bytes_per_sec);
	us_guest_stop_expect(m->vm, m->stop.is_near);
	sd_event_source_set_time_relative(m->ticking, m->stop.next_usec);
}

/* QEMU's answers carry the VM: the migration may be over when they come. */
static void on_progress(void *userdata, int r, const struct us_reason *reason,
			const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;
	struct us_source *m = vm->migration;

	if (!m || r != 0)
		return;
	m->progress = *progress;
	if (!us_source_is_doing(m, US_STAGE_TRANSFER))
		return;
	expect_stop(m);
	if (us_now_usec() - m->told_usec < PROGRESS_USEC || !m->call ||
	    !us_call_wants_more(m->call))
		return;
	m->told_usec = us_now_usec();
	us_call_continue(m->call, us_source_progress_json(m, "transfer", false));
}

int us_source_on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_source *m = userdata;

	us_vmm_query_transfer(m->vm->vmm, on_progress, m->vm);
	sd_event_source_set_time_relative(source, PROGRESS_USEC);
	return 0;
}

static void on_started(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;

	if (!vm->migration || !us_source_is_doing(vm->migration, US_STAGE_TRANSFER))
		return;
	us_crash_point("migrate", "started", NULL);
	if (r != 0)
		us_source_fail(vm->migration, reason->text);
	else if (must_expect_stop(vm->migration))
		sd_event_source_set_time_relative(vm->migration->ticking, 0);
}

static void on_configured(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;
	struct us_source *m = vm->migration;

	if (!m || !m->is_configuring)
		return;
	m->is_configuring = false;
	if (m->plan.is_undoing) {
		us_source_post(m, US_PLAN_DONE);
		return;
	}
	if (r != 0) {
		us_source_fail(m, reason->text);
	} else if (!us_host_vm_may_migrate(vm)) {
		us_source_fail(m, "a primary is visible again");
	} else {
		m->start_asked = true;
		us_guest_stop_prepare(vm);
		r = us_vmm_start_transfer(vm->vmm, m->uri, on_started, vm);
		if (r != 0)
			us_source_fail(m, us_strerror(r));
	}
}

/* Who can read the network between the hosts reads the guest's memory. */
static void warn_unencrypted(struct us_source *m)
{
	struct us_reason words;

	if (m->vm->daemon->trusts_network || strncmp(m->destination, "unix:", 5) == 0)
		return;
	us_refuse(&words,
		  "vm %s: the migration to %s is not encrypted: --set tls-creds=ID encrypts it "
		  "(understudy(1)); understudyd --trust-migration-network says that it need not be",
		  m->vm->name, m->destination);
	us_log(LOG_WARNING, "%s", words.text);
	us_source_warn(m, words.text);
}

static void on_before(void *userdata, const json_t *before, bool is_encrypted)
{
	struct us_host_vm *vm = userdata;

	us_migration_settings_remember(vm, before);
	if (vm->migration && !is_encrypted)
		warn_unencrypted(vm->migration);
}

static void do_transfer(struct us_source *m)
{
	int r;

	us_stop_prediction_init(&m->stop, downtime_usec(m));
	r = us_vmm_configure_transfer(m->vm->vmm, m->settings, on_before, on_configured, m->vm);

	if (r < 0) {
		us_source_fail(m, us_strerror(r));
		return;
	}
	m->is_configuring = true;
	sd_event_source_set_time_relative(m->ticking, PROGRESS_USEC);
	sd_event_source_set_enabled(m->ticking, SD_EVENT_ON);
}

/* The end of the transfer is told by QEMU's own event; if there was none, by this answer. */
static void on_cancelled(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;
	struct us_source *m = vm->migration;

	if (m && m->plan.stage == US_STAGE_TRANSFER && m->plan.is_undoing &&
	    vm->transfer != US_TRANSFER_ACTIVE)
		us_source_post(m, US_PLAN_DONE);
}

static void undo_transfer(struct us_source *m)
{
	/* Its answer is waited for: it could be taken for that of the next migration. */
	if (m->is_configuring)
		return;
	if (!m->start_asked)
		us_source_post(m, US_PLAN_DONE);
	else if (us_vmm_cancel_transfer(m->vm->vmm, on_cancelled, m->vm) < 0)
		us_source_post(m, US_PLAN_FAILED);
}

/* Why it failed is not in the event. */
static void on_failed_progress(void *userdata, int r, const struct us_reason *reason,
			       const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;

	if (vm->migration && us_source_is_doing(vm->migration, US_STAGE_TRANSFER))
		us_source_fail(
			vm->migration,
			r == 0 && progress->error[0]
				? progress->error
				: "QEMU's migration failed: see its log and the destination's");
}

void us_source_transfer_changed(struct us_host_vm *vm, enum us_transfer transfer)
{
	struct us_source *m = vm->migration;

	if (!m || m->plan.stage != US_STAGE_TRANSFER || !m->start_asked)
		return;
	if (transfer == US_TRANSFER_COMPLETED)
		us_source_post(m, US_PLAN_COMPLETED);
	else if (transfer != US_TRANSFER_FAILED && transfer != US_TRANSFER_CANCELLED)
		return;
	else if (m->plan.is_undoing)
		us_source_post(m, US_PLAN_DONE);
	else
		us_vmm_query_transfer(vm->vmm, on_failed_progress, vm);
}

void us_source_vm_lost(struct us_host_vm *vm, const char *why)
{
	if (vm->migration && !us_stage_is_past_return(vm->migration->plan.stage))
		us_source_fail(vm->migration, why);
}

/* ---- handoff ---- */

static void on_handed_off(void *userdata, int r, const char *why)
{
	struct us_source *m = userdata;

	if (!us_source_is_doing(m, US_STAGE_HANDOFF))
		return;
	us_log(LOG_INFO, "vm %s: %zu frames handed off", m->vm->name,
	       us_handoff_frames(m->handoff));
	if (r != 0)
		us_source_fail_with(m, r, why);
	else
		us_source_post(m, US_PLAN_DONE);
}

/* QEMU has answered, so it has been through its loop since the stop, and read what it reads. */
static void on_read(void *userdata, int r, const struct us_reason *reason,
		    const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;
	struct us_source *m = vm->migration;

	if (!m || !us_source_is_doing(m, US_STAGE_HANDOFF) || m->handoff)
		return;
	if (r == 0)
		m->progress = *progress;
	us_stop_frames_collect(vm);
}

void us_source_frames_taken(struct us_host_vm *vm)
{
	struct us_source *m = vm->migration;
	int r;

	if (!m || !us_source_is_doing(m, US_STAGE_HANDOFF) || m->handoff)
		return;
	r = us_handoff_new(&m->handoff, vm, &(struct us_handoff_peer){ m->carrier, m->token },
			   on_handed_off, m);
	if (r < 0)
		us_source_fail(m, us_strerror(r));
}

static void do_handoff(struct us_source *m)
{
	if (us_vmm_query_transfer(m->vm->vmm, on_read, m->vm) < 0)
		on_read(m->vm, -ENOTCONN, NULL, NULL);
}

void us_source_guest_stopped(struct us_host_vm *vm, bool stopped, uint64_t age_usec)
{
	struct us_source *m = vm->migration;
	struct us_handoff_peer peer;

	if (!m || m->plan.stage != US_STAGE_TRANSFER || !m->start_asked)
		return;
	peer = (struct us_handoff_peer){ m->carrier, m->token };
	m->is_stopped = stopped;
	if (stopped)
		us_guest_stop_begin(vm, &peer, age_usec);
	else
		us_guest_stop_undo(vm, &peer);
}

/* ---- All of them ---- */

void us_source_do(struct us_source *m)
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
			us_source_post(m, US_PLAN_DONE);
		break;
	case US_STAGE_HANDOFF:
		do_handoff(m);
		break;
	case US_STAGE_RELEASE:
		us_host_vm_feed(m->vm, &(struct us_event){ .type = US_EVENT_FINISH });
		us_source_post(m, US_PLAN_DONE);
		break;
	default:
		break;
	}
}

void us_source_undo(struct us_source *m)
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
