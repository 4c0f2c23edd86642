/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps of a pair's engine. An event that arrives while a step is made (the result of an effect
 * that is known at once) is queued behind it: a step never runs inside another one.
 */
#include <assert.h>

#include "daemon/pair/pair-private.h"
#include "util/clock.h"
#include "util/crash-point.h"

static void append_event(struct us_event_queue *queue, const struct us_event *event)
{
	assert(queue->count < US_QUEUED_EVENTS);
	queue->events[(queue->first + queue->count++) % US_QUEUED_EVENTS] = *event;
}

static struct us_event take_event(struct us_event_queue *queue)
{
	struct us_event event = queue->events[queue->first];

	queue->first = (queue->first + 1) % US_QUEUED_EVENTS;
	queue->count--;
	return event;
}

/*
 * A pair does nothing with a VMM before the VMM has reported its standby's MAC address. If another
 * MAC address is reported, the VM is another one: the pair's VM is gone. False: ignore
 * the event; the pair observes the VM again when it knows the address.
 */
static bool admit(const struct us_host_pair *pair, struct us_event *event)
{
	if (event->type == US_EVENT_GUEST)
		return !pair->is_mismatched;
	if (event->type != US_EVENT_VM || event->vm == US_VM_UNKNOWN || event->vm == US_VM_GONE)
		return true;
	if (pair->is_mismatched)
		event->vm = US_VM_GONE;
	return pair->is_inspected || pair->vm->is_expected;
}

static void step(struct us_host_pair *pair, struct us_event event)
{
	const struct us_pairs *pairs = pair->pairs;
	const struct us_pair before = pair->engine;
	struct us_effects effects;

	event.now_usec = us_now_usec();
	us_pair_step(&pair->engine, &event, &effects);
	pairs->handler->stepped(pairs->userdata, pair, &before, &event);
	for (size_t i = 0; i < effects.count; i++) {
		const struct us_effect *effect = &effects.list[i];

		pair->step_handler->perform[effect->type](pair, effect);
		us_crash_point(us_primary_name(us_pair_primary(&pair->engine)),
			       us_effect_name(effect->type),
			       effect->type == US_EFFECT_STEER ? us_path_name(effect->path) : NULL);
	}
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
	while (queue.count > 0)
		step(pair, take_event(&queue));
	pair->queue = NULL;
	pair->step_handler->done(pair);
	pair->pairs->handler->settled(pair->pairs->userdata);
}

void us_host_pair_answer(struct us_host_pair *pair, enum us_event_type type, bool on,
			 const char *reason)
{
	if (!on)
		us_optional_set(&pair->detail, reason);
	us_host_pair_feed(pair, (struct us_event){ .type = type, .on = on });
}

/* ---- Requests to the VMM ---- */

int us_host_pair_requested(struct us_host_pair *pair, int r)
{
	if (r == 0)
		us_host_pair_begin_request(pair);
	return r;
}

void us_host_pair_begin_request(struct us_host_pair *pair)
{
	pair->requests++;
}

void us_host_pair_end_request(struct us_host_pair *pair)
{
	pair->requests--;
	pair->pairs->handler->settled(pair->pairs->userdata); /* a removed pair may go now */
}

bool us_host_pair_has_requests(const struct us_host_pair *pair)
{
	return pair->requests > 0;
}
