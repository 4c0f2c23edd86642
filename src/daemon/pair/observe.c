/* SPDX-License-Identifier: BSD-3-Clause */
/* What a pair observes of its VM, and of the switch, when nobody tells it. */
#include <errno.h>
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	AGAIN_USEC = 1000 * 1000,
};

void us_host_pair_recheck_in(struct us_host_pair *pair, uint64_t usec)
{
	struct us_timer *timer = &pair->pairs->recheck_timer;
	uint64_t due_usec = us_now_usec() + usec;

	pair->must_recheck = true;
	if (!us_timer_is_set(timer) || timer->due_usec > due_usec)
		us_timer_set(timer, due_usec);
}

/* What cannot be done now for lack of memory, or of an answer. */
static void recheck_later(struct us_host_pair *pair)
{
	us_host_pair_recheck_in(pair, AGAIN_USEC);
}

/* ---- The primary ---- */

static void query_device(struct us_host_pair *pair);

static void on_device(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	us_host_pair_end_request(pair);
	if (r == 0)
		us_host_pair_query_unplug_delay(pair);
	if (r >= 0) {
		us_host_pair_feed(pair,
				  (struct us_event){ .type = US_EVENT_OBSERVED, .on = r == 0 });
	} else if (r == -EAGAIN) {
		pair->must_query = true;
		recheck_later(pair);
	} else if (r != -ECONNRESET) { /* -ETIMEDOUT: nothing else asks */
		query_device(pair);
	}
}

/* Whether the VM has the primary. Until that is answered the engine does nothing. */
static void query_device(struct us_host_pair *pair)
{
	int r = us_vmm_has_device(pair->vm->vmm, pair->device, on_device, pair);

	pair->must_query = false;
	if (us_host_pair_requested(pair, r) < 0)
		recheck_later(pair);
}

/* ---- The VM ---- */

/* Of a VM that is known to be the pair's, or to be another. */
static void observe_vm(struct us_host_pair *pair)
{
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_VM, .vm = pair->vm->state });
	us_host_pair_feed(pair,
			  (struct us_event){ .type = US_EVENT_MIGRATING,
					     .on = pair->vm->transfer == US_TRANSFER_ACTIVE });
	if (pair->vm->is_expected) /* what is not there has no primary */
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_OBSERVED });
	if (!us_vmm_is_adopted(pair->vm->vmm) || pair->is_mismatched)
		return;
	pair->pairs->handler->inspected(pair->pairs->userdata, pair);
	query_device(pair);
}

/* "" if it is the standby that the pair was made with; else why not. */
static void compare_standby(const struct us_host_pair *pair, const struct us_reason *refusal,
			    const struct us_vmm_standby *standby, struct us_reason *ret_reason)
{
	ret_reason->text[0] = '\0';
	if (refusal) {
		us_refuse_because(ret_reason, refusal, "the standby cannot be inspected");
	} else if (memcmp(standby->mac, pair->spec.mac, US_MAC_BYTES) != 0) {
		us_refuse(ret_reason, "the VM's %s has MAC address %s now, not %s",
			  pair->spec.standby, us_mac_text(standby->mac).text,
			  us_mac_text(pair->spec.mac).text);
		us_advise(ret_reason, "remove the pair, and add it again if that is right");
	}
}

static void observe_path(struct us_host_pair *pair)
{
	struct us_reason reason;
	enum us_path path;

	if (us_host_pair_find_switch(pair, &reason) == 0 && us_steer_path(pair->steer, &path) == 0)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PATH, .path = path });
}

/* libvirt gives the tap of a domain another name at each start, and at each host. */
static void take_port(struct us_host_pair *pair, const struct us_vmm_standby *standby)
{
	if (!us_vmm_is_domain(pair->vm->vmm) || !standby->interface[0] ||
	    strcmp(standby->interface, pair->spec.port) == 0)
		return;
	strcpy(pair->spec.port, standby->interface);
	if (pair->steer)
		us_steer_abandon(US_STEAL(pair->steer));
	pair->has_original_entry = false;
	observe_path(pair);
}

static void on_standby(void *userdata, int r, const struct us_reason *refusal,
		       const struct us_vmm_standby *standby)
{
	struct us_host_pair *pair = userdata;
	struct us_reason reason;

	us_host_pair_end_request(pair);
	if (r < 0) {
		if (r != -ECONNRESET) /* -ETIMEDOUT: nothing else asks */
			recheck_later(pair);
		return;
	}
	compare_standby(pair, refusal, standby, &reason);
	pair->is_inspected = true;
	pair->is_mismatched = reason.text[0];
	if (pair->is_mismatched) {
		us_log(LOG_WARNING, "%s: left alone: %s", pair->spec.name, reason.text);
		us_optional_set(&pair->detail, reason.text);
	} else if (r == 0) {
		take_port(pair, standby);
	}
	observe_vm(pair);
}

static void inspect_standby(struct us_host_pair *pair)
{
	int r = us_vmm_inspect(pair->vm->vmm, pair->spec.standby, on_standby, pair);

	if (us_host_pair_requested(pair, r) < 0)
		recheck_later(pair);
}

/* The path first: a path to a visible primary must not be changed before that is known. */
void us_host_pair_observe(struct us_host_pair *pair)
{
	observe_path(pair);
	if (us_vmm_is_adopted(pair->vm->vmm) && !pair->is_inspected)
		inspect_standby(pair);
	else
		observe_vm(pair);
}

void us_host_pair_observe_expected(struct us_host_pair *pair)
{
	observe_vm(pair);
}

void us_host_pair_vm_adopted(struct us_host_pair *pair)
{
	pair->is_inspected = false;
	us_host_pair_observe(pair);
}

/* ---- The switch ---- */

/* Repeats a request to the VMM that could not be made. False: one is under way. */
static bool repeat_request(struct us_host_pair *pair)
{
	if (!us_vmm_is_adopted(pair->vm->vmm))
		return true;
	if (!pair->is_inspected && pair->requests)
		return false;
	if (!pair->is_inspected)
		inspect_standby(pair);
	else if ((us_pair_primary(&pair->engine) == US_PRIMARY_UNKNOWN || pair->must_query) &&
		 !pair->requests)
		query_device(pair);
	return true;
}

bool us_host_pair_recheck(struct us_host_pair *pair)
{
	enum us_path path, known = us_pair_path(&pair->engine);
	int r;

	if (us_pair_is_steering(&pair->engine) || !repeat_request(pair))
		return false;
	r = us_host_pair_find_switch(pair, NULL);
	if (r == 0)
		r = us_steer_path(pair->steer, &path);
	/* Nothing is known of the switch. */
	if (r < 0 || (r > 0 && us_host_pair_has_lost_tap(pair)))
		return false;
	if (r > 0)
		path = US_PATH_NONE;
	/* Where the pair steers nothing, others may. */
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
