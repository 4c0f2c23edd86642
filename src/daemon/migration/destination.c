/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The destination of a migration. The VM waits with -incoming defer, its pairs are added; what
 * is left to do is to see that they match the source's, that their primaries are reserved, and
 * to listen. When the guest runs here, the pairs see to themselves: nothing of this has to be
 * remembered, and a source that dies leaves nothing to undo but this call.
 *
 * One that was given up stays until QEMU has answered what it was asked: the answer would be taken
 * for that of the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util/crash-point.h"
#include "daemon/daemon.h"
#include "daemon/migration/settings.h"
#include "util/clock.h"

enum {
	/* After the guest arrived: longer than what is left of the source's plan. */
	HANDOFF_USEC = 60 * 1000 * 1000,
};

struct us_receive {
	struct us_host_vm *vm;
	struct us_call *call; /* NULL: it is gone */
	struct us_deferred waiter;
	struct us_timer ending; /* set when the guest has arrived */
	json_t *settings;
	char address[US_ADDRESS_TEXT]; /* to listen on */
	bool is_waiting;	       /* for the pairs */
	bool is_asking;		       /* QEMU, and it has not answered */
	bool has_arrived;
};

/* Nobody may connect, or hand anything off, any more. */
static void close_doors(struct us_receive *receive)
{
	us_vmm_stop_listening(receive->vm->vmm);
	us_admission_revoke(&receive->vm->admission);
}

static void receive_free(struct us_receive *receive)
{
	struct us_host_vm *vm = receive->vm;

	if (receive->is_waiting)
		us_list_remove(&receive->waiter.link);
	close_doors(receive);
	us_timer_deinit(&receive->ending);
	vm->receive = NULL;
	json_decref(receive->settings);
	if (!receive->has_arrived) /* else they were restored, and may be the next one's */
		us_migration_settings_restore(vm);
	free(receive);
}

void us_destination_fail(struct us_host_vm *vm, const char *why)
{
	struct us_receive *receive = vm->receive;

	if (!receive)
		return;
	if (receive->call)
		us_call_fail(US_STEAL(receive->call), "Failed", "vm %s: %s", vm->name, why);
	receive_free(receive);
}

/* The call lasts on: as long as it does, the source may hand off what it has for the guest. */
void us_destination_guest_arrived(struct us_host_vm *vm)
{
	struct us_receive *receive = vm->receive;

	if (!receive || receive->has_arrived)
		return;
	receive->has_arrived = true;
	us_vmm_stop_listening(vm->vmm);
	us_migration_settings_restore(vm); /* now: it may be migrated on at once */
	us_crash_point("receive", "arrived", NULL);
	us_publish_stage(vm, "arrived", "the guest arrived");
	us_timer_set(&receive->ending, us_now_usec() + HANDOFF_USEC);
	if (receive->call)
		us_call_continue(receive->call,
				 json_pack("{s:s, s:b}", "uri", "", "arrived", true));
}

/* One that asks QEMU is freed by its answer, which finds it. */
static void give_up(struct us_receive *receive)
{
	receive->call = NULL;
	close_doors(receive);
	if (!receive->is_asking)
		receive_free(receive);
}

static void on_ending(void *userdata)
{
	struct us_receive *receive = userdata;

	if (receive->call)
		us_call_reply(receive->call, json_pack("{s:s, s:b}", "uri", "", "arrived", true));
	give_up(receive);
}

static void on_gone(void *userdata, struct us_call *call)
{
	struct us_receive *receive = userdata;
	struct us_host_vm *vm = receive->vm;
	bool has_arrived = receive->has_arrived;

	if (!has_arrived)
		us_publish_stage(vm, "abandoned", "the source gave the migration up");
	give_up(receive);
	/* Its guest goes on there: what arrives here for it is not held any more. */
	if (!has_arrived)
		us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED });
}

/* ---- QEMU ---- */

/* False: nobody waits for this answer any more, or it is a refusal; @receive is gone. */
static bool goes_on(struct us_receive *receive, const struct us_reason *reason)
{
	receive->is_asking = false;
	if (reason || !receive->call) {
		us_destination_fail(receive->vm, reason ? reason->text : "");
		return false;
	}
	return true;
}

static void on_listening(void *userdata, int r, const struct us_reason *reason, const char *uri)
{
	struct us_host_vm *vm = userdata;

	if (!goes_on(vm->receive, reason))
		return;
	us_crash_point("receive", "listening", NULL);
	us_call_continue(vm->receive->call, json_pack("{s:s, s:b, s:s}", "uri", uri, "arrived",
						      false, "token", vm->admission.token));
}

static void on_configured(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_vm *vm = userdata;
	struct us_receive *receive = vm->receive;

	if (!goes_on(receive, reason))
		return;
	r = us_vmm_listen_transfer(vm->vmm, receive->address, on_listening, vm);
	if (r < 0)
		us_destination_fail(vm, us_strerror(r));
	else
		receive->is_asking = true;
}

static void on_before(void *userdata, const json_t *before, bool is_encrypted)
{
	us_migration_settings_remember(userdata, before);
}

/* ---- The reservation ---- */

static bool check_reserved(struct us_deferred *waiter)
{
	struct us_receive *receive = US_CONTAINER_OF(waiter, struct us_receive, waiter);
	struct us_host_vm *vm = receive->vm;
	struct us_host_pair *pair;
	int r;

	us_list_for_each (pair, &vm->pairs, link) {
		const struct us_pair *engine = &pair->engine;

		if (!us_pair_is_assigned(engine))
			continue;
		if (us_pair_is_reserve_refused(engine)) {
			struct us_reason why;

			us_refuse(&why, "pair %s: %s: %s", pair->name,
				  us_cause_text(us_pair_cause(engine)),
				  us_optional_text(pair->detail));
			us_destination_fail(vm, why.text);
			return true;
		}
		if (!us_pair_is_reserved(engine))
			return false;
	}
	us_list_remove(&waiter->link);
	receive->is_waiting = false;
	r = us_vmm_configure_transfer(vm->vmm, receive->settings, on_before, on_configured, vm);
	if (r < 0)
		us_destination_fail(vm, us_strerror(r));
	else
		receive->is_asking = true;
	return true;
}

static void vm_gone(struct us_deferred *waiter)
{
	us_destination_fail(waiter->vm, "the VM was detached");
}

/* ---- Whether the pairs are the same ---- */

struct us_host_pair *us_destination_pair(struct us_host_vm *vm, const char *name, const char *group)
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
	struct us_host_pair *pair = us_destination_pair(vm, name, group);
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

/* First of all: what another one means by the rest is not known. */
static int check_protocol(const json_t *parameters, struct us_reason *reason)
{
	const json_t *protocol = json_object_get(parameters, "protocol");
	json_int_t theirs = json_is_integer(protocol) ? json_integer_value(protocol) : 1;

	if (theirs == US_PEER_PROTOCOL)
		return 0;
	return us_refuse(
		reason,
		"the understudyd at the source speaks version %d of the migration protocol, "
		"this one (" US_VERSION ") version %d: update the older one; no VM has to "
		"move for that",
		(int)theirs, US_PEER_PROTOCOL);
}

static int check(struct us_host_vm *vm, const json_t *parameters, struct us_reason *reason)
{
	const json_t *wanted;
	size_t i;
	int r = check_protocol(parameters, reason);

	if (r != 0)
		return r;
	if (!us_vmm_is_adopted(vm->vmm))
		return us_refuse(reason, "vm %s cannot be asked now: %s", vm->name,
				 us_optional_text(vm->problem));
	if (vm->state != US_VM_INCOMING)
		return us_refuse(reason,
				 "vm %s is %s, not waiting for a guest: start it with "
				 "-incoming defer",
				 vm->name, us_vm_state_name(vm->state));
	if (vm->receive)
		return us_refuse(reason, "vm %s: a migration to it is %s", vm->name,
				 vm->receive->call ? "under way"
						   : "being given up: try again in a moment");
	json_array_foreach (json_object_get(parameters, "pairs"), i, wanted) {
		r = check_pair(vm, wanted, reason);
		if (r != 0)
			return r;
	}
	return 0;
}

/* As configured, else where the source reached this host; one that is on it needs no more. */
static const char *address_for(const struct us_daemon *daemon, const struct us_call *call)
{
	const char *reached = us_call_address(call);

	if (daemon->migration_address)
		return daemon->migration_address;
	return reached ? reached : "127.0.0.1";
}

static int receive_new(struct us_host_vm *vm, struct us_call *call, const json_t *settings)
{
	struct us_receive *receive = calloc(1, sizeof(*receive));
	int r = receive ? us_admission_grant(&vm->admission) : -ENOMEM;

	if (r == 0)
		r = us_timer_init(&receive->ending, vm->daemon->loop, on_ending, receive);
	if (r < 0) {
		us_admission_revoke(&vm->admission);
		free(receive);
		return r;
	}
	receive->vm = vm;
	receive->call = call;
	receive->settings =
		json_is_object(settings) ? json_incref((json_t *)settings) : json_object();
	snprintf(receive->address, sizeof(receive->address), "%s", address_for(vm->daemon, call));
	receive->waiter.check = check_reserved;
	receive->waiter.vm_gone = vm_gone;
	receive->is_waiting = true;
	vm->receive = receive;
	us_call_on_gone(call, on_gone, receive);
	us_deferred_add(vm, &receive->waiter);
	return 0;
}

void us_receive(struct us_daemon *daemon, struct us_host_vm *vm, struct us_call *call,
		const json_t *parameters)
{
	struct us_reason reason = { .text = "" };
	int r;

	if (!us_call_wants_more(call))
		r = us_refuse(&reason, "Receive streams: call it with `more`");
	else
		r = check(vm, parameters, &reason);
	if (r == 0)
		r = receive_new(vm, call, json_object_get(parameters, "settings"));
	if (r != 0) {
		us_call_fail(call, "Refused", "%s", r < 0 ? us_strerror(r) : reason.text);
		return;
	}
	us_crash_point("receive", "asked", NULL);
}
