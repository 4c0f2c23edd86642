/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of stages, and all of them but the transfer.
 *
 * The destination's daemon performs check, reserve and arrive. Check compares the protocol
 * versions. Reserve calls Receive, and the call lasts until the end of the migration: its first
 * reply says where the destination listens, the second one that the guest has arrived. The undo
 * ends the call. The pairs of this host do the others: hide, handoff and release.
 */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "daemon/migration/source-private.h"
#include "util/log.h"

enum {
	ANSWER_BYTES_MAX = 1024 * 1024, /* far more than a daemon sends */
};

/* ---- check ---- */

static void on_status(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_source *source = userdata;
	struct us_reason reason;
	int r;

	if (!us_source_is_doing(source, US_STAGE_CHECK))
		return;
	if (error)
		r = us_peer_reason(error, parameters, &reason);
	else
		r = us_peer_check_protocol(parameters, "destination", &reason);
	us_source_end_stage(source, r, &reason);
}

static int connect_to_destination(struct us_source *source)
{
	sd_event *loop = us_host_vm_loop(source->vm);
	int r = us_client_new_limited(&source->client, loop, source->destination, ANSWER_BYTES_MAX);

	if (r == 0)
		r = us_client_new_limited(&source->peer.client, loop, source->destination,
					  ANSWER_BYTES_MAX);
	if (r == 0)
		r = us_client_call(source->client, "GetStatus", NULL, false, on_status, source);
	return r;
}

static void check(struct us_source *source)
{
	struct us_host_pair *pair;
	struct us_reason reason;
	int r;

	us_host_vm_for_each_pair (pair, source->vm)
		us_stop_method_prepare(pair);
	r = connect_to_destination(source);
	if (r == 0)
		return;
	us_refuse(&reason, "no understudyd at %s: %s", source->destination, us_strerror(r));
	us_advise(&reason, "start it there, or name another host");
	us_source_end_stage(source, US_REFUSED, &reason);
}

/* ---- reserve, arrive ---- */

static int take_reply(struct us_source *source, const char *uri, const char *token,
		      struct us_reason *reason)
{
	if (!token || strlen(token) >= sizeof(source->peer.token))
		return us_refuse(reason, "the destination sent no valid token");
	/* QEMU accepts URIs that open a file or run a program. */
	if (strncmp(uri, "tcp:", strlen("tcp:")) != 0)
		return us_refuse(reason, "the destination sent no TCP address of its QEMU");
	strcpy(source->peer.token, token);
	source->uri = strdup(uri);
	return source->uri ? 0 : us_refuse(reason, "%s", us_strerror(ENOMEM));
}

static void on_reservation(struct us_source *source, const json_t *parameters)
{
	const char *uri = json_string_value(json_object_get(parameters, "uri"));
	const char *token = json_string_value(json_object_get(parameters, "token"));
	struct us_reason reason;
	int r;

	if (!us_source_is_doing(source, US_STAGE_RESERVE) || !uri || source->uri)
		return;
	r = take_reply(source, uri, token, &reason);
	us_source_end_stage(source, r, &reason);
}

static void on_receive(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_source *source = userdata;
	struct us_reason reason;

	if (error) {
		us_peer_reason(error, parameters, &reason);
		/* The call may end after the arrival, and during the undo. */
		if (!source->plan.is_undoing && !source->has_arrived)
			us_source_end_stage(source, US_REFUSED, &reason);
	} else if (json_is_true(json_object_get(parameters, "arrived"))) {
		source->has_arrived = true;
		if (us_source_is_doing(source, US_STAGE_ARRIVE))
			us_source_end_stage(source, 0, NULL);
	} else {
		on_reservation(source, parameters);
	}
}

static void reserve(struct us_source *source)
{
	json_t *parameters =
		json_pack("{s:s, s:o, s:O, s:b, s:i}", "vm", us_host_vm_name(source->vm), "pairs",
			  us_peer_pairs_json(source->vm), "settings", source->settings, "domain",
			  source->libvirt != NULL, "protocol", US_PEER_PROTOCOL);
	int r = us_client_call(source->client, "Receive", parameters, true, on_receive, source);

	if (r < 0)
		us_source_end_stage(source, r, NULL);
}

static void unreserve(struct us_source *source)
{
	us_client_free(US_STEAL(source->client)); /* ends the call */
	us_source_end_stage(source, 0, NULL);
}

static void arrive(struct us_source *source)
{
	if (source->has_arrived)
		us_source_end_stage(source, 0, NULL);
}

/* ---- hide ---- */

static int refuse_overdue(const struct us_host_pair *pair, struct us_reason *reason)
{
	const char *detail = us_host_pair_detail(pair); /* why the VMM refused the unplug */

	us_refuse(reason, "pair %s: %s%s%s", us_host_pair_name(pair),
		  us_cause_text(us_pair_cause(us_host_pair_engine(pair))), detail[0] ? ": " : "",
		  detail);
	return detail[0] ? US_REFUSED : us_advise(reason, "see the guest's log");
}

/* Sets @ret_done if no pair needs more time. US_REFUSED: a guest does not release its primary. */
static int check_pairs(const struct us_source *source, bool *ret_done, struct us_reason *reason)
{
	struct us_host_pair *pair;

	*ret_done = true;
	us_host_vm_for_each_pair (pair, source->vm) {
		if (source->plan.is_undoing)
			*ret_done &= us_pair_is_settled(us_host_pair_engine(pair));
		else if (us_pair_is_unplug_overdue(us_host_pair_engine(pair)))
			return refuse_overdue(pair, reason);
		else
			*ret_done &= us_pair_may_migrate(us_host_pair_engine(pair));
	}
	return 0;
}

static bool recheck(struct us_deferred *deferred)
{
	struct us_source *source = US_CONTAINER_OF(deferred, struct us_source, deferred);
	struct us_reason reason;
	bool is_done;
	int r = check_pairs(source, &is_done, &reason);

	if (r == 0 && !is_done)
		return false;
	us_list_remove(&deferred->link);
	us_source_end_stage(source, r, &reason);
	return true;
}

static void wait_for_pairs(struct us_source *source, enum us_event_type wish)
{
	us_host_vm_feed(source->vm, &(struct us_event){ .type = wish });
	us_list_remove(&source->deferred.link);
	source->deferred.check = recheck;
	us_host_vm_defer(source->vm, &source->deferred);
}

static void hide(struct us_source *source)
{
	wait_for_pairs(source, US_EVENT_PREPARE);
}

static void unhide(struct us_source *source)
{
	wait_for_pairs(source, US_EVENT_FINISH);
}

/* ---- handoff ---- */

static void on_handed_off(void *userdata, const struct us_reason *reason)
{
	struct us_source *source = userdata;

	if (!us_source_is_doing(source, US_STAGE_HANDOFF))
		return;
	us_log(LOG_INFO, "vm %s: handed off %zu frames", us_host_vm_name(source->vm),
	       us_handoff_frames(source->handoff));
	us_source_end_stage(source, reason ? US_REFUSED : 0, reason);
}

/* The migration of @vm whose handoff has not begun; NULL: it has, or that stage is over. */
static struct us_source *waiting_source(const struct us_host_vm *vm)
{
	struct us_source *source = us_migration_of_vm(vm)->source;
	bool is_waiting =
		source && us_source_is_doing(source, US_STAGE_HANDOFF) && !source->handoff;

	return is_waiting ? source : NULL;
}

static void on_collected(struct us_host_vm *vm)
{
	struct us_source *source = waiting_source(vm);
	int r;

	if (!source)
		return;
	r = us_handoff_new(&source->handoff, vm, &source->peer, on_handed_off, source);
	if (r < 0)
		us_source_end_stage(source, r, NULL);
}

/* The answer proves that QEMU has run its main loop since the stop, and reads its taps no more. */
static void on_progress(void *userdata, int r, const struct us_reason *reason,
			const struct us_transfer_progress *progress)
{
	struct us_host_vm *vm = userdata;
	struct us_source *source = waiting_source(vm);

	if (!source)
		return;
	if (r == 0)
		source->progress = *progress;
	us_guest_stop_collect(vm, on_collected);
}

static void handoff(struct us_source *source)
{
	if (us_vmm_query_transfer(us_host_vm_vmm(source->vm), on_progress, source->vm) < 0)
		on_progress(source->vm, -ENOTCONN, NULL, NULL);
}

/* ---- release ---- */

static void release(struct us_source *source)
{
	us_host_vm_feed(source->vm, &(struct us_event){ .type = US_EVENT_FINISH });
	us_source_end_stage(source, 0, NULL);
}

/* ---- All of them ---- */

/* core/migration-plan.c has the deadlines and the point of no return. */
static const struct {
	void (*begin)(struct us_source *source);
	void (*undo)(struct us_source *source); /* NULL: nothing to undo, or too late */
} stages[] = {
	[US_STAGE_CHECK] = { check, NULL },
	[US_STAGE_RESERVE] = { reserve, unreserve },
	[US_STAGE_HIDE] = { hide, unhide },
	[US_STAGE_TRANSFER] = { us_source_transfer, us_source_cancel_transfer },
	/* The point of no return: the guest runs at the destination. */
	[US_STAGE_ARRIVE] = { arrive, NULL },
	[US_STAGE_HANDOFF] = { handoff, NULL },
	[US_STAGE_RELEASE] = { release, NULL },
};
_Static_assert(US_ARRAY_LENGTH(stages) == US_STAGE_N, "a row for each stage");

void us_source_do(struct us_source *source)
{
	stages[source->plan.stage].begin(source);
}

void us_source_undo(struct us_source *source)
{
	stages[source->plan.stage].undo(source);
}
