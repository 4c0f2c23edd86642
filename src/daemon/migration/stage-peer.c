/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages that the destination's daemon performs. Check compares the protocol versions. Reserve
 * calls Receive, and the call lasts until the end of the migration: its first reply says where the
 * destination listens, the second one that the guest has arrived. The undo ends the call.
 */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "daemon/migration/source-private.h"
#include "daemon/vm/vm.h"
#include "understudy/client.h"

enum {
	ANSWER_BYTES_MAX = 1024 * 1024, /* far more than a daemon sends */
};

static void fail(struct us_source *source, const char *error, const json_t *parameters)
{
	struct us_reason reason;

	us_peer_reason(error, parameters, &reason);
	us_source_end_stage(source, US_REFUSED, &reason);
}

/* ---- check ---- */

static void on_status(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_source *source = userdata;
	struct us_reason reason;
	int r;

	if (!us_source_is_doing(source, US_STAGE_CHECK))
		return;
	if (error) {
		fail(source, error, parameters);
		return;
	}
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

void us_source_check(struct us_source *source)
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

	if (error) {
		/* The call may end after the arrival, and during the undo. */
		if (!source->plan.is_undoing && !source->has_arrived)
			fail(source, error, parameters);
	} else if (json_is_true(json_object_get(parameters, "arrived"))) {
		source->has_arrived = true;
		if (us_source_is_doing(source, US_STAGE_ARRIVE))
			us_source_end_stage(source, 0, NULL);
	} else {
		on_reservation(source, parameters);
	}
}

void us_source_reserve(struct us_source *source)
{
	json_t *parameters = json_pack("{s:s, s:o, s:O, s:i}", "vm", us_host_vm_name(source->vm),
				       "pairs", us_peer_pairs_json(source->vm), "settings",
				       source->settings, "protocol", US_PEER_PROTOCOL);
	int r = us_client_call(source->client, "Receive", parameters, true, on_receive, source);

	if (r < 0)
		us_source_end_stage(source, r, NULL);
}

void us_source_unreserve(struct us_source *source)
{
	us_client_free(US_STEAL(source->client)); /* ends the call */
	us_source_end_stage(source, 0, NULL);
}

void us_source_arrive(struct us_source *source)
{
	if (source->has_arrived)
		us_source_end_stage(source, 0, NULL);
}
