/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stop: QEMU stops the guest at the end of the transfer, and from then on both hosts park the
 * frames for it. What that needs is made ready before. Afterwards the frames that QEMU has not
 * delivered are collected.
 */
#include <inttypes.h>

#include "daemon/migration/migration-private.h"
#include "net/presence/claims.h"
#include "net/steer/steer.h"
#include "net/undelivered/drain.h"
#include "util/clock.h"
#include "util/log.h"

/* ---- Before the stop ---- */

static void prepare(struct us_host_pair *pair)
{
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	struct us_reason reason = { .text = "" };
	int r = us_steer_make_park(us_host_pair_steer(pair), &reason);

	if (r == 0 && !migration->frames)
		r = us_stop_frames_new(&migration->frames, pair, &reason);
	if (r != 0)
		us_log(LOG_WARNING, "%s: the migration may lose frames at the stop: %s", spec->name,
		       r < 0 ? us_strerror(r) : reason.text);
	us_stop_method_settle(pair);
	if (migration->claims)
		return;
	r = us_claims_new(&migration->claims, us_host_vm_loop(us_host_vm_of(pair)), spec->port,
			  spec->mac, &reason);
	if (r != 0)
		us_log(LOG_WARNING,
		       "%s: the destination cannot announce the guest's IP addresses: %s",
		       spec->name, r < 0 ? us_strerror(r) : reason.text);
}

void us_guest_stop_prepare(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (us_host_pair_steer(pair) && us_migration_is_lossless(pair))
			prepare(pair);
}

void us_guest_stop_expect(struct us_host_vm *vm, bool is_near)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (is_near == (migration->stop_expected_usec > 0))
		return;
	migration->stop_expected_usec = is_near ? us_clock_usec(CLOCK_REALTIME) : 0;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED, .on = is_near });
}

/* ---- At the stop ---- */

/* If the destination does not park, frames may change their order, and nothing else. */
static void on_parking(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_reason reason;

	if (!error)
		return;
	us_peer_reason(error, parameters, &reason);
	us_log(LOG_WARNING, "vm %s: the destination does not park: %s", us_host_vm_name(userdata),
	       reason.text);
}

/* No answer is needed: a destination whose QEMU has failed refuses the call. */
static void on_resumption(void *userdata, const char *error, const json_t *parameters, bool more)
{
}

void us_guest_stop_begin(struct us_host_vm *vm, const struct us_handoff_peer *peer,
			 uint64_t age_usec)
{
	struct us_host_pair *pair;

	/* Before all else: QEMU cannot read its taps before it has saved the devices' state. */
	us_host_vm_for_each_pair (pair, vm)
		if (us_migration_of_pair(pair)->frames)
			us_stop_frames_note_stop(us_migration_of_pair(pair)->frames);
	us_migration_of_vm(vm)->stopped_usec = us_clock_usec(CLOCK_REALTIME) - age_usec;
	us_host_vm_for_each_pair (pair, vm)
		if (us_migration_is_lossless(pair))
			us_handoff_call(peer, pair, "stopped", json_array(), on_parking, vm);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED, .on = true });
}

void us_guest_stop_undo(struct us_host_vm *vm, const struct us_handoff_peer *peer)
{
	struct us_host_pair *pair;

	us_arrival_announce(vm);
	us_migration_of_vm(vm)->stop_expected_usec = 0;
	us_host_vm_for_each_pair (pair, vm)
		us_handoff_call(peer, pair, "late", json_array(), on_resumption, NULL);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED });
}

/* ---- After the stop ---- */

/*
 * Undelivered frames are collected in two steps for each pair: wait for what was read at the stop,
 * then read the queues of the tap. A failure loses frames of one pair, and is logged.
 */

static bool may_collect(const struct us_host_pair *pair)
{
	return us_migration_of_pair(pair)->frames && us_host_pair_park(pair);
}

/* Whether parking began before the stop, so that QEMU has delivered all earlier frames. */
static bool was_predicted(const struct us_host_pair *pair)
{
	const struct us_vm_migration *vm = us_migration_of_vm(us_host_vm_of(pair));

	if (us_migration_of_pair(pair)->method == US_STOP_METHOD_DRAIN || !vm->stop_expected_usec ||
	    vm->stop_expected_usec >= vm->stopped_usec)
		return false;
	us_log(LOG_INFO, "%s: parked %" PRIu64 " ms before the guest stopped, as predicted",
	       us_host_pair_name(pair), (vm->stopped_usec - vm->stop_expected_usec) / 1000);
	return true;
}

static void take(struct us_host_pair *pair)
{
	bool drains = us_migration_of_pair(pair)->method == US_STOP_METHOD_DRAIN;
	struct us_reason reason = { .text = "" };
	size_t consumed, taken;

	if (was_predicted(pair))
		return;
	if (!drains)
		us_refuse(&reason,
			  "the guest stopped earlier than predicted, so frames may be lost");
	taken = us_stop_frames_take(us_migration_of_pair(pair)->frames, drains, &consumed, &reason);
	us_log(reason.text[0] ? LOG_WARNING : LOG_INFO,
	       "%s: recovered %zu undelivered frames, %zu of them consumed by QEMU%s%s",
	       us_host_pair_name(pair), taken, consumed, reason.text[0] ? ": " : "", reason.text);
}

static void collected(struct us_host_vm *vm)
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);

	if (--migration->collecting == 0)
		migration->on_collected(vm);
}

static void on_drained(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (r != 0)
		us_log(LOG_WARNING, "%s: the queues of QEMU's tap cannot be read: %s",
		       us_host_pair_name(pair), reason->text);
	if (may_collect(pair))
		take(pair);
	collected(us_host_vm_of(pair));
}

static void on_last_known(void *userdata)
{
	struct us_host_pair *pair = userdata;
	struct us_pair_migration *migration = us_migration_of_pair(pair);
	bool drains = may_collect(pair) && migration->method == US_STOP_METHOD_DRAIN;

	if (!drains || !migration->drain || us_drain_read(migration->drain, on_drained, pair) < 0)
		on_drained(pair, 0, NULL);
}

void us_guest_stop_collect(struct us_host_vm *vm, void (*done)(struct us_host_vm *vm))
{
	struct us_vm_migration *migration = us_migration_of_vm(vm);
	struct us_host_pair *pair;

	migration->on_collected = done;
	migration->collecting = 1;
	us_host_vm_for_each_pair (pair, vm)
		if (may_collect(pair)) {
			migration->collecting++;
			us_stop_frames_await_last(us_migration_of_pair(pair)->frames,
						  on_last_known);
		}
	collected(vm);
}

void us_guest_stop_forget(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm) {
		struct us_pair_migration *migration = us_migration_of_pair(pair);

		us_stop_frames_free(US_STEAL(migration->frames));
		us_drain_free(US_STEAL(migration->drain));
		us_claims_free(US_STEAL(migration->claims));
		if (us_host_pair_steer(pair))
			us_steer_drop_park(us_host_pair_steer(pair));
	}
	us_migration_of_vm(vm)->stop_expected_usec = 0;
}
