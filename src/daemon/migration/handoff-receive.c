/* SPDX-License-Identifier: BSD-3-Clause */
/* The handoff at the destination: one method, without state of its own. */
#include <string.h>

#include "api/server.h"
#include "daemon/migration/migration-private.h"
#include "net/steer/steer.h"
#include "util/crash-point.h"

/* Not while this host migrates the guest on: then its own QEMU tells when the guest stops. */
static void feed_stopped(struct us_host_pair *pair, bool on)
{
	if (!us_host_pair_engine(pair)->facts.prepared)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_STOPPED, .on = on });
}

void us_handoff_receive_end(void *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		feed_stopped(pair, false);
}

/* Decodes all @frames, and delivers them by @steer unless that is NULL. */
static int deliver_frames(const struct us_host_pair *pair, const json_t *frames,
			  struct us_steer *steer, struct us_reason *reason)
{
	struct us_frame decoded;
	const json_t *frame;
	size_t i;
	int r = 0;

	json_array_foreach (frames, i, frame) {
		r = us_handoff_decode(pair, json_string_value(frame), &decoded, reason);
		if (r == 0 && steer)
			r = us_steer_deliver(steer, &decoded, reason);
		if (r != 0)
			break;
	}
	return r;
}

static int receive(struct us_host_pair *pair, const json_t *parameters, struct us_reason *reason)
{
	const char *state = json_string_value(json_object_get(parameters, "state"));
	const json_t *frames = json_object_get(parameters, "frames");
	/* First only decodes: a refused call must not change anything. */
	int r = deliver_frames(pair, frames, NULL, reason);

	if (r == 0 && strcmp(state, "held") != 0)
		feed_stopped(pair, strcmp(state, "stopped") == 0);
	if (r == 0)
		r = deliver_frames(pair, frames, us_host_pair_steer(pair), reason);
	if (r == 0)
		us_arrival_announce_addresses(pair, json_object_get(parameters, "addresses"));
	us_crash_point("handoff", state, NULL);
	return r;
}

void us_migration_handoff(struct us_host_vm *vm, struct us_call *call, const json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "pair"));
	const char *group = json_string_value(json_object_get(parameters, "group"));
	const char *token = json_string_value(json_object_get(parameters, "token"));
	struct us_host_pair *pair = us_peer_find_pair(vm, name, group);
	struct us_reason reason = { .text = "" };
	int r;

	if (!us_admission_is_granted(&us_migration_of_vm(vm)->admission, token)) {
		us_call_fail(call, "Refused",
			     "vm %s: the token does not belong to a migration that it receives",
			     us_host_vm_name(vm));
		return;
	}
	if (!pair || !us_host_pair_steer(pair)) {
		us_call_fail(call, "NoSuchPair", "vm %s has no pair %s here", us_host_vm_name(vm),
			     name);
		return;
	}
	r = receive(pair, parameters, &reason);
	if (r != 0)
		us_call_fail_with(call, "Refused", r, &reason);
	else
		us_call_reply(call, NULL);
}
