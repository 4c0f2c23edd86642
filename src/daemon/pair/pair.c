/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pair on this host: the engine, and the hands that perform its effects. Results that are
 * known at once are queued behind the step that asked for them, so a step never runs inside
 * another one.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util/crash-point.h"
#include "daemon/daemon.h"
#include "net/undelivered/drain.h"
#include "net/netlink/link.h"
#include "net/steer/bridge.h"
#include "util/clock.h"

enum {
	PROBE_USEC = 20 * 1000,
	STABLE_USEC = 300 * 1000,
	LEFT_USEC = 100 * 1000,
	QUIET_USEC = 2 * 1000 * 1000,
};

/* What waits for pairs is to be checked. */
static void call_settled(struct us_host_pair *pair)
{
	struct us_daemon *daemon = pair->vm->daemon;

	daemon->pairs_handler->settled(daemon);
}

void us_host_pair_tell_move(struct us_host_pair *pair, enum us_primary from, bool moved)
{
	struct us_daemon *daemon = pair->vm->daemon;

	daemon->pairs_handler->moved(daemon, pair, from, moved);
}

/* ---- Answers ---- */

static void answer(struct us_host_pair *pair, enum us_event_type type, bool on, const char *why)
{
	if (!on)
		us_optional_set(&pair->detail, why);
	us_host_pair_feed(pair, (struct us_event){ .type = type, .on = on });
}

/* Counts a request to the VM that will be answered to the pair. */
static int asked(struct us_host_pair *pair, int r)
{
	if (r == 0)
		pair->requests++;
	return r;
}

static void answered(struct us_host_pair *pair)
{
	pair->requests--;
	call_settled(pair); /* a removed pair may go now */
}

static void follow_leaving(struct us_host_pair *pair);
static void plug(struct us_host_pair *pair);

/* Refused: it is gone, or is in no slot that is known: then nothing is counted on. */
static void on_unplug_delay(void *userdata, int r, const struct us_reason *reason,
			    uint64_t delay_usec)
{
	struct us_host_pair *pair = userdata;

	us_pair_set_unplug_delay(&pair->engine, delay_usec);
	follow_leaving(pair); /* after a restart it may be on its way out already */
	answered(pair);
}

/* Long before the answer matters. */
static void ask_for_linger(struct us_host_pair *pair)
{
	us_pair_set_unplug_delay(&pair->engine, 0);
	asked(pair, us_vmm_query_unplug_delay(pair->vm->vmm, pair->device, on_unplug_delay, pair));
}

static void on_plugged(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;
	bool is_busy = r == US_REFUSED && pair->vf && us_host_vf_is_busy(reason);

	answered(pair);
	/* -ECONNRESET: the VM is lost, and the engine is told so. -ETIMEDOUT: it may be there yet.
	 */
	if (r == 0)
		ask_for_linger(pair);
	if (r != -ECONNRESET)
		answer(pair, is_busy ? US_EVENT_PLUG_BUSY : US_EVENT_PLUGGED,
		       r == 0 || r == -ETIMEDOUT, r == 0 ? NULL : reason->text);
}

static void on_unplug_taken(void *userdata, int r, const struct us_reason *reason)
{
	answered(userdata);
	if (r != 0 && r != -ECONNRESET)
		answer(userdata, US_EVENT_UNPLUG_REFUSED, false, reason->text);
}

static void on_reset_done(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	answered(pair);
	if (r != 0 && r != -ECONNRESET)
		us_log(LOG_WARNING, "%s: system_reset failed: %s", pair->spec.name, reason->text);
}

static void on_answering(void *userdata, bool is_answering)
{
	struct us_host_pair *pair = userdata;

	if (pair->steer)
		us_steer_set_answering(pair->steer, is_answering);
}

static void unwatch(struct us_host_pair *pair)
{
	struct us_park *park = pair->steer ? us_steer_park(pair->steer) : NULL;

	if (park)
		us_park_set_observer(park, NULL, NULL);
	us_watch_free(US_STEAL(pair->watch));
}

static void on_traffic(void *userdata, bool ready, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	unwatch(pair);
	answer(pair, US_EVENT_TRAFFIC, ready, ready ? NULL : reason->text);
}

/* What became of the frames that were held; nothing is lost silently. */
static void log_parked(struct us_host_pair *pair)
{
	struct us_park_counts counts, told = pair->logged;

	us_steer_counts(pair->steer, &counts);
	pair->logged = counts;
	counts.parked -= told.parked;
	counts.released -= told.released;
	counts.overflowed -= told.overflowed;
	counts.undelivered -= told.undelivered;
	if (counts.overflowed || counts.undelivered)
		us_log(LOG_WARNING,
		       "%s: frames lost: %" PRIu64 " the parking lot was full, %" PRIu64
		       " not taken by the port; %" PRIu64 " of %" PRIu64 " released",
		       pair->spec.name, counts.overflowed, counts.undelivered, counts.released,
		       counts.parked);
	else if (counts.parked)
		us_log(LOG_INFO, "%s: %" PRIu64 " parked frames released, at most %u held",
		       pair->spec.name, counts.released, counts.frames_max);
}

static void steered(struct us_host_pair *pair, enum us_path path, int r, const char *why)
{
	if (r != 0)
		us_optional_set(&pair->detail, why);
	us_host_pair_feed(
		pair, (struct us_event){ .type = US_EVENT_STEERED, .path = path, .on = r == 0 });
}

static void on_steered(void *userdata, enum us_path path, int r, const struct us_reason *reason)
{
	log_parked(userdata);
	steered(userdata, path, r, r < 0 ? us_strerror(r) : reason->text);
}

static void on_held(void *userdata, const struct us_frame *frame)
{
	us_watch_learn(userdata, frame->bytes, frame->length);
}

/* ---- Effects ---- */

static int set_sriov(struct us_host_pair *pair, struct us_reason *reason)
{
	us_host_vf_sync_visibility(pair->vf);
	return us_steer_set_sriov(pair->steer, us_host_vf_sriov(pair->vf), reason);
}

/* The primary is known only as long as it is reserved, if it is of a pool. */
static void release(struct us_host_pair *pair)
{
	if (!pair->vf)
		return;
	if (pair->steer)
		us_steer_set_sriov(pair->steer, NULL, NULL);
	if (pair->vm->daemon->is_stopping)
		us_host_vf_detach(US_STEAL(pair->vf));
	else
		us_host_vf_release(US_STEAL(pair->vf));
	if (pair->spec.primary.pool[0])
		pair->spec.primary.host[0] = pair->spec.primary.port[0] = '\0';
}

static void reserved(struct us_host_pair *pair, int r, struct us_reason *reason)
{
	if (r == 0 && pair->steer)
		r = us_steer_set_primary(pair->steer, pair->spec.primary.port, reason);
	if (r == 0 && pair->steer)
		r = set_sriov(pair, reason);
	answer(pair, US_EVENT_RESERVED, r == 0, r < 0 ? us_strerror(r) : reason->text);
}

static void fill_in(struct us_host_pair *pair, const struct us_reserved *device)
{
	struct us_primary_spec *primary = &pair->spec.primary;

	snprintf(primary->host, sizeof(primary->host), "%s", device->address);
	snprintf(primary->port, sizeof(primary->port), "%s",
		 device->representor[0] ? device->representor : device->port);
}

static void vf_reserved(struct us_host_pair *pair, int r, struct us_reason *reason)
{
	if (r == 0) {
		fill_in(pair, us_host_vf_reserved(pair->vf));
		r = us_primary_spec_check_port(&pair->spec.primary, pair->spec.port, reason);
	}
	if (r != 0)
		release(pair);
	reserved(pair, r, reason);
}

static void on_vf_reserved(void *userdata, int r, const struct us_reason *reason)
{
	struct us_reason copy = *reason;

	vf_reserved(userdata, r, &copy);
}

static void on_retry_plug(void *userdata)
{
	struct us_host_pair *pair = userdata;

	if (us_pair_primary(&pair->engine) == US_PRIMARY_EXPOSING)
		plug(pair);
}

static void on_group_in_use(void *userdata, const char *reason)
{
	us_optional_set(&((struct us_host_pair *)userdata)->detail, reason);
}

static struct us_host_vf_config vf_config(struct us_host_pair *pair)
{
	static const struct us_host_vf_handler handler = {
		.reserved = on_vf_reserved,
		.retry_plug = on_retry_plug,
		.group_in_use = on_group_in_use,
	};

	return (struct us_host_vf_config){ .pair = pair->spec.name,
					   .mac = pair->spec.mac,
					   .engine = &pair->engine,
					   .handler = &handler,
					   .userdata = pair };
}

static void reserve_vf(struct us_host_pair *pair, uint64_t memory_bytes)
{
	const struct us_host_vf_config config = vf_config(pair);
	const struct us_host_vf_request request = { .pool = pair->spec.primary.pool,
						    .address = pair->spec.primary.host,
						    .vmm = us_vmm_pid(pair->vm->vmm),
						    .memory_bytes = memory_bytes };
	struct us_reason reason = { .text = "" };
	int r = pair->vf ? 0 : us_host_vf_new(&pair->vf, pair->vm->daemon->vfs, &config);

	if (r == 0)
		r = us_host_vf_reserve(pair->vf, &request, &reason);
	if (r != 0)
		vf_reserved(pair, r, &reason);
}

static void adopt_vf(struct us_host_pair *pair)
{
	const struct us_host_vf_config config = vf_config(pair);

	if (us_host_vf_adopt(&pair->vf, pair->vm->daemon->vfs, &config, pair->spec.primary.pool,
			     pair->spec.primary.host) == 0)
		fill_in(pair, us_host_vf_reserved(pair->vf));
}

/* After each step. A plug that is not wanted any more was refused. */
static void follow_vf(struct us_host_pair *pair)
{
	if (pair->vf && us_pair_primary(&pair->engine) != US_PRIMARY_EXPOSING &&
	    us_host_vf_cancel_plug(pair->vf))
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PLUGGED });
	if (us_host_vf_sync_visibility(pair->vf) && pair->steer)
		us_steer_set_answering(pair->steer, false);
	if (pair->vf)
		us_host_vf_keep_group(pair->vf);
}

/* Too late if it is not wanted any more. */
static void on_memory(void *userdata, int r, const struct us_reason *reason, uint64_t bytes)
{
	struct us_host_pair *pair = userdata;

	answered(pair);
	if (us_pair_is_reserving(&pair->engine))
		reserve_vf(pair, bytes);
}

static void reserve_vfio(struct us_host_pair *pair)
{
	if (asked(pair, us_vmm_query_memory(pair->vm->vmm, on_memory, pair)) < 0)
		reserve_vf(pair, 0);
}

static void reserve(struct us_host_pair *pair)
{
	struct us_reason reason = { .text = "" };

	if (us_primary_spec_is_vfio(&pair->spec.primary))
		reserve_vfio(pair);
	else
		reserved(pair,
			 us_primary_spec_check(pair->vm->daemon, pair, &pair->spec.primary,
					       pair->spec.port, &reason),
			 &reason);
}

/* The switch may be found later than the pair: a tap or a bridge can be made anew. */
static int find_switch(struct us_host_pair *pair, struct us_reason *reason)
{
	static const struct us_steer_handler handler = { .steered = on_steered };
	struct us_steer_config config = {
		.standby_port = pair->spec.port,
		.primary_port = pair->spec.primary.port[0] ? pair->spec.primary.port : NULL,
		.loop = pair->vm->daemon->loop,
		.handler = &handler,
		.userdata = pair,
		.limits = { .budget = &pair->vm->daemon->parked,
			    .frames = pair->spec.options.frames,
			    .bytes = pair->spec.options.bytes },
	};
	int r;

	if (pair->steer)
		return 0;
	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	r = us_steer_new_bridge(&pair->steer, &config, reason);
	if (r != 0)
		return r;
	r = set_sriov(pair, reason);
	if (r != 0) {
		us_steer_abandon(US_STEAL(pair->steer));
		return r;
	}
	if (pair->has_original_entry) {
		/* Words of ours that do not fit the switch any more: what is there is as found. */
		us_steer_restore(pair->steer, pair->original_entry);
	} else if (us_steer_save(pair->steer, pair->original_entry, sizeof(pair->original_entry)) ==
		   0) {
		/* On disk before the first change, or a crash would take our entry for found. */
		pair->has_original_entry = true;
		pair->vm->daemon->pairs_handler->save(pair->vm->daemon, pair);
	}
	return 0;
}

static void steer(struct us_host_pair *pair, enum us_path path)
{
	struct us_reason reason = { .text = "" };
	int r = find_switch(pair, &reason);

	us_host_vf_sync_visibility(pair->vf);
	if (r == 0)
		r = us_steer_to(pair->steer, path, &reason);
	if (r != US_STEER_RELEASING)
		steered(pair, path, r, r < 0 ? us_strerror(r) : reason.text);
}

static void plug(struct us_host_pair *pair)
{
	bool is_vfio = us_primary_spec_is_vfio(&pair->spec.primary);
	struct us_plug plug = {
		.id = pair->device,
		.model = pair->spec.primary.model,
		.host = is_vfio ? pair->spec.primary.host : NULL,
		.interface = is_vfio ? NULL : pair->spec.primary.port,
		.mac = is_vfio ? NULL : pair->spec.mac,
		.bus = pair->spec.bus[0] ? pair->spec.bus : NULL,
	};
	struct us_reason reason = { .text = "" };
	struct us_link link;
	/* QEMU would make a tap that is not there, outside of every bridge. */
	int r = us_link_get(pair->spec.primary.port, &link, &reason);

	us_optional_set(&pair->detail, "");
	if (r == 0 && pair->vf)
		r = us_host_vf_prepare_plug(pair->vf, &reason);
	if (r == US_HOST_VF_LATER)
		return;
	if (r == 0)
		r = asked(pair, us_vmm_plug(pair->vm->vmm, &plug, on_plugged, pair));
	if (r != 0)
		answer(pair, US_EVENT_PLUGGED, false, r < 0 ? us_strerror(r) : reason.text);
}

static void unplug(struct us_host_pair *pair)
{
	int r = asked(pair, us_vmm_unplug(pair->vm->vmm, pair->device, on_unplug_taken, pair));

	if (r < 0)
		answer(pair, US_EVENT_UNPLUG_REFUSED, false, us_strerror(r));
}

static bool is_started(void *userdata)
{
	return us_host_vf_is_started(((struct us_host_pair *)userdata)->vf);
}

static void watch(struct us_host_pair *pair)
{
	static const struct us_watch_handler handler = { .answering = on_answering,
							 .is_started = is_started,
							 .traffic = on_traffic };
	struct us_watch_config config = {
		.standby_port = pair->spec.port,
		.primary_port = pair->spec.primary.port,
		.answers_only = us_host_vf_pf(pair->vf),
		.vm_port = pair->spec.port,
		.probe_usec = PROBE_USEC,
		.stable_usec =
			pair->spec.options.handover == US_HANDOVER_LOSSLESS ? STABLE_USEC : 0,
		.quiet_usec = QUIET_USEC,
	};
	struct us_reason reason = { .text = "" };
	int r;

	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	unwatch(pair);
	r = us_watch_new(&pair->watch, pair->vm->daemon->loop, &config, &handler, pair, &reason);
	if (r != 0)
		answer(pair, US_EVENT_TRAFFIC, false, r < 0 ? us_strerror(r) : reason.text);
	else if (pair->steer && us_steer_park(pair->steer))
		us_park_set_observer(us_steer_park(pair->steer), on_held, pair->watch);
}

static void on_left(void *userdata, bool ready, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	/* If it cannot be seen, the end of the unplug shows it. */
	if (ready)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_TRAFFIC });
}

/*
 * Of a guest that takes seconds to let its primary go, the VMM hears a second after it has (Linux
 * waits for the slot's power to go). So it is looked for traffic on its standby, as for readiness
 * on a primary: what is sent there reaches it, or is not answered.
 */
static void follow_leaving(struct us_host_pair *pair)
{
	static const struct us_watch_handler handler = { .traffic = on_left };
	bool may_leave =
		us_pair_is_leaving(&pair->engine) && pair->engine.config.unplug_delay_usec > 0;
	struct us_watch_config config = {
		.standby_port = pair->spec.primary.port,
		.primary_port = pair->spec.port,
		.answers_only = true, /* it may send there before it listens */
		.vm_port = pair->spec.port,
		.probe_usec = PROBE_USEC,
		.stable_usec = LEFT_USEC,
		.quiet_usec = QUIET_USEC,
	};
	struct us_reason reason;

	if (!may_leave) {
		us_watch_free(US_STEAL(pair->unplug_watch));
		return;
	}
	memcpy(config.mac, pair->spec.mac, sizeof(config.mac));
	if (!pair->unplug_watch)
		us_watch_new(&pair->unplug_watch, pair->vm->daemon->loop, &config, &handler, pair,
			     &reason);
}

static void publish(struct us_host_pair *pair, const struct us_effect *effect)
{
	if (us_pair_primary(&pair->engine) == US_PRIMARY_VISIBLE && !pair->is_idle)
		us_optional_set(&pair->detail, "");
	us_host_pair_tell_move(pair, effect->from, effect->moved);
}

static void perform(struct us_host_pair *pair, const struct us_effect *effect)
{
	switch (effect->type) {
	case US_EFFECT_RESERVE:
		reserve(pair);
		break;
	case US_EFFECT_RELEASE:
		release(pair);
		break;
	case US_EFFECT_STEER:
		steer(pair, effect->path);
		break;
	case US_EFFECT_PLUG:
		plug(pair);
		break;
	case US_EFFECT_UNPLUG:
		unplug(pair);
		break;
	case US_EFFECT_RESET_VM:
		if (asked(pair, us_vmm_reset(pair->vm->vmm, on_reset_done, pair)) < 0)
			us_log(LOG_WARNING, "%s: system_reset could not be asked for",
			       pair->spec.name);
		break;
	case US_EFFECT_WATCH:
		watch(pair);
		break;
	case US_EFFECT_UNWATCH:
		unwatch(pair);
		on_answering(pair, false);
		break;
	case US_EFFECT_PUBLISH:
		publish(pair, effect);
		break;
	default:
		assert(false);
	}
	us_crash_point(us_primary_name(us_pair_primary(&pair->engine)),
		       us_effect_name(effect->type),
		       effect->type == US_EFFECT_STEER ? us_path_name(effect->path) : NULL);
}

/* ---- Steps ---- */

static void on_deadline(void *userdata)
{
	us_host_pair_feed(userdata, (struct us_event){ .type = US_EVENT_TICK });
}

static void arm(struct us_host_pair *pair)
{
	uint64_t deadline = us_pair_deadline(&pair->engine);

	if (deadline == US_NEVER)
		us_timer_stop(&pair->timer);
	else
		us_timer_set(&pair->timer, deadline);
}

/* The primary that was named while another one was being given back. */
static void assign_next(struct us_host_pair *pair)
{
	if (!pair->assign_next || us_pair_primary(&pair->engine) != US_PRIMARY_ABSENT)
		return;
	pair->assign_next = false;
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_ASSIGN });
	us_host_pair_observe(pair);
}

static void append_event(struct us_event_queue *queue, const struct us_event *event)
{
	assert(queue->count < US_QUEUED_EVENTS);
	queue->events[(queue->first + queue->count++) % US_QUEUED_EVENTS] = *event;
}

/*
 * A QEMU whose standby has not shown the pair's MAC yet is none that anything is done with, and one
 * that has another MAC is none of the pair's: its VM is gone. False: the event is for later.
 */
static bool admit(const struct us_host_pair *pair, struct us_event *event)
{
	if (event->type == US_EVENT_GUEST)
		return !pair->is_mismatched;
	if (event->type != US_EVENT_VM || event->vm == US_VM_UNKNOWN || event->vm == US_VM_GONE)
		return true;
	if (pair->is_mismatched)
		event->vm = US_VM_GONE;
	return pair->is_inspected;
}

void us_host_pair_feed(struct us_host_pair *pair, struct us_event event)
{
	struct us_event_queue queue = { .count = 0 };

	if (!admit(pair, &event))
		return;
	if (pair->queue) {
		append_event(pair->queue, &event);
		return;
	}
	pair->queue = &queue;
	append_event(&queue, &event);
	while (queue.count > 0) {
		struct us_effects effects;
		struct us_pair before;

		event = queue.events[queue.first];
		queue.first = (queue.first + 1) % US_QUEUED_EVENTS;
		queue.count--;
		event.now_usec = us_now_usec();
		before = pair->engine;
		us_pair_step(&pair->engine, &event, &effects);
		pair->vm->daemon->pairs_handler->stepped(pair->vm->daemon, pair, &before, &event);
		for (size_t i = 0; i < effects.count; i++)
			perform(pair, &effects.list[i]);
	}
	pair->queue = NULL;

	arm(pair);
	us_idle_primary_follow(pair);
	follow_leaving(pair);
	assign_next(pair);
	follow_vf(pair);
	call_settled(pair);
}

/* ---- Life ---- */

static void ask_for_device(struct us_host_pair *pair);

static void on_observed(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	answered(pair);
	if (r == 0)
		ask_for_linger(pair);
	if (r >= 0)
		us_host_pair_feed(pair,
				  (struct us_event){ .type = US_EVENT_OBSERVED, .on = r == 0 });
	else if (r != -ECONNRESET) /* it took too long: nothing else asks, so ask again */
		ask_for_device(pair);
}

/* Until that is answered nothing is done: what cannot be asked now is asked later. */
static void ask_for_device(struct us_host_pair *pair)
{
	if (asked(pair, us_vmm_has_device(pair->vm->vmm, pair->device, on_observed, pair)) < 0)
		us_recheck_later(pair);
}

static void inspect(struct us_host_pair *pair);

bool us_host_pair_recheck(struct us_host_pair *pair)
{
	enum us_path path, known = us_pair_path(&pair->engine);
	int r;

	if (us_pair_is_steering(&pair->engine))
		return false;
	if (!pair->is_inspected && us_vmm_is_adopted(pair->vm->vmm)) {
		if (pair->requests)
			return false;
		inspect(pair);
	} else if (us_pair_primary(&pair->engine) == US_PRIMARY_UNKNOWN && !pair->requests &&
		   us_vmm_is_adopted(pair->vm->vmm)) {
		ask_for_device(pair);
	}
	r = find_switch(pair, NULL);
	if (r == 0)
		r = us_steer_path(pair->steer, &path);
	if (r < 0) /* that says nothing of the switch */
		return false;
	if (r > 0)
		path = US_PATH_NONE;
	/* Where nothing is steered, others may do as they like. */
	if (path == known || known == US_PATH_NONE) {
		if (!us_pair_has_steer_failed(&pair->engine))
			return true;
	} else {
		us_log(LOG_WARNING, "%s: the switch was changed by somebody else: path %s, not %s",
		       pair->spec.name, us_path_name(path), us_path_name(known));
		pair->changed_usec = us_now_usec();
	}
	pair->differed_usec = us_now_usec();
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PATH, .path = path });
	return true;
}

/* What the VM is and does, to one that is known to be its. */
static void observe_vm(struct us_host_pair *pair)
{
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_VM, .vm = pair->vm->state });
	us_host_pair_feed(pair,
			  (struct us_event){ .type = US_EVENT_MIGRATING,
					     .on = pair->vm->transfer == US_TRANSFER_ACTIVE });
	if (!us_vmm_is_adopted(pair->vm->vmm) || pair->is_mismatched)
		return;
	pair->vm->daemon->pairs_handler->inspected(pair->vm->daemon, pair);
	ask_for_device(pair);
}

/* "" if it is the standby that the pair was made with; else why not. */
static void compare_standby(const struct us_host_pair *pair, const struct us_reason *refusal,
			    const struct us_vmm_standby *standby, struct us_reason *ret_reason)
{
	char found[US_MAC_TEXT_SIZE], wanted[US_MAC_TEXT_SIZE];

	ret_reason->text[0] = '\0';
	if (refusal) {
		us_refuse_because(ret_reason, refusal, "the standby cannot be looked at");
	} else if (memcmp(standby->mac, pair->spec.mac, US_MAC_BYTES) != 0) {
		us_mac_text(standby->mac, found);
		us_mac_text(pair->spec.mac, wanted);
		us_refuse(ret_reason,
			  "the VM's %s has MAC address %s now, not %s: remove the pair, and add it "
			  "again if that is right",
			  pair->spec.standby, found, wanted);
	}
}

static void on_inspected(void *userdata, int r, const struct us_reason *refusal,
			 const struct us_vmm_standby *standby)
{
	struct us_host_pair *pair = userdata;
	struct us_reason reason;

	answered(pair);
	if (r < 0) {
		if (r != -ECONNRESET) /* it took too long: nothing else asks, so ask again */
			us_recheck_later(pair);
		return;
	}
	compare_standby(pair, refusal, standby, &reason);
	pair->is_inspected = true;
	pair->is_mismatched = reason.text[0];
	if (pair->is_mismatched) {
		us_log(LOG_WARNING, "%s: left alone: %s", pair->spec.name, reason.text);
		us_optional_set(&pair->detail, reason.text);
	}
	observe_vm(pair);
}

static void inspect(struct us_host_pair *pair)
{
	if (asked(pair, us_vmm_inspect(pair->vm->vmm, pair->spec.standby, on_inspected, pair)) < 0)
		us_recheck_later(pair);
}

void us_host_pair_observe(struct us_host_pair *pair)
{
	struct us_reason reason;
	enum us_path path;

	/* The path first: what leads to a visible primary must not be steered away meanwhile. */
	if (find_switch(pair, &reason) == 0 && us_steer_path(pair->steer, &path) == 0)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PATH, .path = path });
	if (us_vmm_is_adopted(pair->vm->vmm) && !pair->is_inspected)
		inspect(pair);
	else
		observe_vm(pair);
}

void us_host_pair_assign(struct us_host_pair *pair, const struct us_primary_spec *spec)
{
	bool had_one = pair->spec.primary.text[0];

	pair->assign_next = spec;
	if (had_one)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_UNASSIGN });
	if (!spec)
		return;
	pair->spec.primary = *spec;
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_TICK });
}

int us_host_pair_new(struct us_host_pair **ret_pair, struct us_host_vm *vm,
		     const struct us_pair_spec *spec, const struct us_pair_start *start)
{
	const char *entry = start->original_entry;
	struct us_host_pair *pair;
	struct us_pair_config config;
	int r;

	if (entry && strlen(entry) >= sizeof(pair->original_entry))
		return -EINVAL;
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return -ENOMEM;
	pair->vm = vm;
	pair->spec = *spec;
	pair->is_inspected = start->is_inspected;
	pair->has_original_entry = entry;
	if (entry)
		strcpy(pair->original_entry, entry);
	snprintf(pair->device, sizeof(pair->device), "understudy-%s", pair->spec.name);
	us_pair_config_default(&config);
	config.mode = spec->mode;
	us_pair_options_apply(&pair->spec.options, &config);
	us_pair_init(&pair->engine, &config);
	r = us_timer_init(&pair->timer, vm->daemon->loop, on_deadline, pair);
	if (r >= 0)
		r = us_timer_init(&pair->idle_timer, vm->daemon->loop, us_idle_primary_check, pair);
	if (r >= 0)
		r = vm->daemon->pairs_handler->made(vm->daemon, pair);
	if (r >= 0)
		r = us_vmm_track_guest(vm->vmm, pair->spec.standby);
	if (r < 0) {
		us_timer_deinit(&pair->timer);
		us_timer_deinit(&pair->idle_timer);
		vm->daemon->pairs_handler->freed(vm->daemon, pair);
		free(pair);
		return r;
	}
	us_list_append(&vm->pairs, &pair->link);
	us_recheck_update_interest(vm->daemon);
	*ret_pair = pair;
	if (us_primary_spec_is_vfio(&pair->spec.primary))
		adopt_vf(pair);

	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_HOLD, .on = start->hold });
	if (vm->prepared)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PREPARE });
	if (pair->spec.primary.text[0])
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_ASSIGN });
	us_host_pair_observe(pair);
	return 0;
}

void us_host_pair_detach(struct us_host_pair *pair)
{
	if (pair->steer && us_pair_path(&pair->engine) == US_PATH_STANDBY)
		us_steer_to(pair->steer, US_PATH_NONE, NULL);
}

void us_host_pair_free(struct us_host_pair *pair)
{
	us_list_remove(&pair->link);
	us_recheck_update_interest(pair->vm->daemon);
	release(pair);
	us_vmm_untrack_guest(pair->vm->vmm, pair->spec.standby);
	us_watch_free(pair->unplug_watch);
	unwatch(pair); /* before the lot is looked through once more: it tells the watch */
	pair->vm->daemon->pairs_handler->freed(pair->vm->daemon, pair);
	/* A removed pair has put the switch back already; any other leaves it as it is. */
	if (pair->steer)
		us_steer_abandon(pair->steer);
	us_timer_deinit(&pair->timer);
	us_timer_deinit(&pair->idle_timer);
	free(pair->detail);
	free(pair);
}

/* ---- What others see ---- */

struct us_park *us_host_pair_park(const struct us_host_pair *pair)
{
	bool is_parked = pair->steer && us_pair_path(&pair->engine) == US_PATH_PARKED;

	return is_parked ? us_steer_park(pair->steer) : NULL;
}

const struct us_pair_spec *us_host_pair_spec(const struct us_host_pair *pair)
{
	return &pair->spec;
}

const char *us_host_pair_name(const struct us_host_pair *pair)
{
	return pair->spec.name;
}

const struct us_pair *us_host_pair_engine(const struct us_host_pair *pair)
{
	return &pair->engine;
}

struct us_pair_slots *us_host_pair_slots(struct us_host_pair *pair)
{
	return &pair->slots;
}

struct us_steer *us_host_pair_steer(const struct us_host_pair *pair)
{
	return pair->steer;
}

struct us_host_vf *us_host_pair_vf(const struct us_host_pair *pair)
{
	return pair->vf;
}

const char *us_host_pair_detail(const struct us_host_pair *pair)
{
	return us_optional_text(pair->detail);
}

const char *us_host_pair_original_entry(const struct us_host_pair *pair)
{
	return pair->has_original_entry ? pair->original_entry : NULL;
}

uint64_t us_host_pair_changed_usec(const struct us_host_pair *pair)
{
	return pair->changed_usec;
}

bool us_host_pair_wants_primary(const struct us_host_pair *pair)
{
	return us_pair_is_assigned(&pair->engine) || pair->assign_next;
}

bool us_host_pair_has_primary(const struct us_host_pair *pair)
{
	return pair->spec.primary.text[0] && (us_host_pair_wants_primary(pair) ||
					      us_pair_primary(&pair->engine) != US_PRIMARY_ABSENT);
}

void us_host_pair_begin_request(struct us_host_pair *pair)
{
	pair->requests++;
}

void us_host_pair_end_request(struct us_host_pair *pair)
{
	pair->requests--;
}

bool us_host_pair_has_requests(const struct us_host_pair *pair)
{
	return pair->requests > 0;
}

bool us_host_pair_is_overdue(const struct us_host_pair *pair)
{
	return us_pair_is_unplug_overdue(&pair->engine);
}
