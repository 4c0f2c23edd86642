/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The destination of a migration. The VM waits with -incoming defer, its pairs are added; what
 * is left to do is to see that they match the source's, that their primaries are reserved, and
 * to listen. When the guest runs here, the pairs see to themselves: nothing of this has to be
 * remembered, and a source that dies leaves nothing to undo but this call.
 */
#include <string.h>

#include "daemon/crash.h"
#include "daemon/daemon.h"

struct us_receive {
	struct us_host_vm *vm;
	struct us_call *call;
	struct us_waiter waiter;
	json_t *settings;
	bool is_waiting, is_listening;
};

static void receive_free(struct us_receive *receive)
{
	if (receive->is_waiting)
		us_list_remove(&receive->waiter.link);
	receive->vm->receive = NULL;
	json_decref(receive->settings);
	free(receive);
}

void us_receive_fail(struct us_host_vm *vm, const char *why)
{
	struct us_receive *receive = vm->receive;

	if (!receive)
		return;
	if (receive->call)
		us_call_fail(US_STEAL(receive->call), "Failed", "vm %s: %s", vm->name, why);
	receive_free(receive);
}

void us_receive_arrived(struct us_host_vm *vm)
{
	struct us_receive *receive = vm->receive;

	if (!receive)
		return;
	us_crash_point("receive", "arrived", NULL);
	us_publish_stage(vm, "arrived", "the guest arrived");
	us_call_reply(US_STEAL(receive->call), json_pack("{s:s, s:b}", "uri", "", "arrived", true));
	receive_free(receive);
}

static void on_gone(void *userdata, struct us_call *call)
{
	struct us_receive *receive = userdata;
	struct us_host_vm *vm = receive->vm;

	receive->call = NULL;
	us_publish_stage(vm, "abandoned", "the source gave the migration up");
	receive_free(receive);
	/* Its guest goes on there: what arrives here for it is not held any more. */
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED });
}

/* Answers may come when the call is gone: they carry the VM, which outlives its requests. */
static void on_listening(void *userdata, int r, const char *why)
{
	struct us_host_vm *vm = userdata;
	struct us_receive *receive = vm->receive;

	if (!receive || !receive->is_listening)
		return;
	if (r != 0) {
		us_receive_fail(vm, why && *why ? why : us_strerror(r));
		return;
	}
	us_crash_point("receive", "listening", NULL);
	us_call_continue(receive->call, json_pack("{s:s, s:b}", "uri", why, "arrived", false));
}

static void on_configured(void *userdata, int r, const char *why)
{
	struct us_host_vm *vm = userdata;
	struct us_receive *receive = vm->receive;

	if (!receive || receive->is_listening)
		return;
	receive->is_listening = true;
	if (r == 0)
		r = us_vm_listen_transfer(vm->vm, vm->daemon->migration_address, on_listening, vm);
	if (r != 0)
		us_receive_fail(vm, why && *why ? why : us_strerror(r));
}

/* ---- The reservation ---- */

static bool check_reserved(struct us_waiter *waiter)
{
	struct us_receive *receive = US_CONTAINER_OF(waiter, struct us_receive, waiter);
	struct us_host_vm *vm = receive->vm;
	struct us_host_pair *pair;
	int r;

	us_list_for_each (pair, &vm->pairs, link) {
		const struct us_pair *engine = &pair->engine;

		if (!engine->assigned)
			continue;
		if (engine->primary == US_PRIMARY_ABSENT && engine->overdue) {
			struct us_reason why;

			us_refuse(&why, "pair %s: %s: %s", pair->name, us_why_text(engine->why),
				  us_words(pair->detail));
			us_receive_fail(vm, why.text);
			return true;
		}
		if (!engine->reserved)
			return false;
	}
	us_list_remove(&waiter->link);
	receive->is_waiting = false;
	r = us_vm_configure_transfer(vm->vm, receive->settings, on_configured, vm);
	if (r < 0)
		us_receive_fail(vm, us_strerror(r));
	return true;
}

static void vm_gone(struct us_waiter *waiter)
{
	us_receive_fail(waiter->vm, "the VM was detached");
}

/* ---- Whether the pairs are the same ---- */

struct us_host_pair *us_receive_counterpart(struct us_host_vm *vm, const char *name,
					    const char *group)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (group && pair->group[0] ? strcmp(pair->group, group) == 0
					    : strcmp(pair->name, name) == 0)
			return pair;
	return NULL;
}

static int check_pair(struct us_host_vm *vm, const json_t *wanted, struct us_reason *reason)
{
	const char *name = json_string_value(json_object_get(wanted, "name"));
	const char *group = json_string_value(json_object_get(wanted, "group"));
	const char *mac = json_string_value(json_object_get(wanted, "mac"));
	json_int_t mtu = json_integer_value(json_object_get(wanted, "mtu"));
	json_int_t queues = json_integer_value(json_object_get(wanted, "queues"));
	struct us_host_pair *pair = us_receive_counterpart(vm, name, group);
	char here[US_MAC_TEXT_SIZE];

	if (!pair)
		return us_refuse(reason, "vm %s has no pair %s at the destination: add it there",
				 vm->name, name);
	us_mac_text(pair->mac, here);
	if (strcmp(here, mac) != 0)
		return us_refuse(reason,
				 "pair %s: its MAC is %s here and %s at the source: start the "
				 "destination's VM with the same",
				 pair->name, here, mac);
	if (pair->mtu != mtu || pair->queue_pairs != queues)
		return us_refuse(reason,
				 "pair %s: host_mtu %u and %u queue pairs here, %d and %d at the "
				 "source (0: not set): start the destination's VM with the same",
				 pair->name, pair->mtu, pair->queue_pairs, (int)mtu, (int)queues);
	return 0;
}

static int check(struct us_host_vm *vm, const json_t *parameters, struct us_reason *reason)
{
	const json_t *wanted;
	size_t i;
	int r;

	if (!us_vm_is_adopted(vm->vm))
		return us_refuse(reason, "vm %s cannot be asked now: %s", vm->name,
				 us_words(vm->problem));
	if (vm->state != US_VM_INCOMING)
		return us_refuse(reason,
				 "vm %s is %s, not waiting for a guest: start it with "
				 "-incoming defer",
				 vm->name, us_vm_state_name(vm->state));
	if (vm->receive)
		return us_refuse(reason, "vm %s: a migration to it is under way", vm->name);
	json_array_foreach (json_object_get(parameters, "pairs"), i, wanted) {
		r = check_pair(vm, wanted, reason);
		if (r != 0)
			return r;
	}
	return 0;
}

void us_receive(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call,
		const json_t *parameters)
{
	json_t *settings = json_object_get(parameters, "settings");
	struct us_reason reason = { "" };
	struct us_receive *receive;

	if (!us_call_wants_more(call))
		us_refuse(&reason, "Receive streams: call it with `more`");
	else
		check(vm, parameters, &reason);
	receive = reason.text[0] ? NULL : calloc(1, sizeof(*receive));
	if (!receive) {
		us_call_fail(call, "Refused", "%s", reason.text[0] ? reason.text : "out of memory");
		return;
	}
	receive->vm = vm;
	receive->call = call;
	receive->settings = json_is_object(settings) ? json_incref(settings) : json_object();
	receive->waiter.check = check_reserved;
	receive->waiter.vm_gone = vm_gone;
	receive->is_waiting = true;
	vm->receive = receive;
	us_call_on_gone(call, on_gone, receive);
	us_daemon_wait(vm, &receive->waiter);
	us_crash_point("receive", "asked", NULL);
}
