/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A migration of a VM to this host: the method Receive. The migration lasts as long as the call, so
 * the end of the source's connection undoes it. Its steps: compare the pairs with the source's,
 * wait until their primaries are reserved, change QEMU's settings, listen.
 *
 * If the source gives up while QEMU has not answered a request, the struct stays until QEMU has.
 * Otherwise the answer would be taken for the answer to a request of the next migration.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/server.h"
#include "daemon/migration/migration-private.h"
#include "util/clock.h"
#include "util/crash-point.h"

enum {
	/* How long the call lasts after the arrival. The rest of the source's plan is shorter. */
	HANDOFF_USEC = 60 * 1000 * 1000,
};

struct us_destination {
	struct us_host_vm *vm;
	struct us_call *call;	     /* NULL: the source gave up */
	struct us_deferred deferred; /* in its list while the pairs are waited for */
	struct us_timer ending;	     /* set when the guest has arrived */
	json_t *settings;
	char address[US_ADDRESS_TEXT]; /* to listen at */
	bool is_requesting;	       /* QEMU has not answered */
	bool has_arrived;
};

/* From now on the source can neither connect nor hand off frames. */
static void end_access(struct us_destination *destination)
{
	us_vmm_stop_listening(us_host_vm_vmm(destination->vm));
	us_admission_revoke(&us_migration_of_vm(destination->vm)->admission);
}

static void destination_free(struct us_destination *destination)
{
	struct us_host_vm *vm = destination->vm;

	us_list_remove(&destination->deferred.link);
	end_access(destination);
	us_timer_deinit(&destination->ending);
	us_migration_of_vm(vm)->destination = NULL;
	json_decref(destination->settings);
	/* The arrival restored them: the present ones may belong to the next migration. */
	if (!destination->has_arrived)
		us_migration_settings_restore(vm);
	free(destination);
}

void us_destination_fail(struct us_destination *destination, const struct us_reason *reason)
{
	struct us_host_vm *vm;

	if (!destination)
		return;
	vm = destination->vm;
	if (destination->call) {
		struct us_reason failure;

		us_refuse_because(&failure, reason, "vm %s", us_host_vm_name(vm));
		us_call_fail_with(US_STEAL(destination->call), "Failed", US_REFUSED, &failure);
	}
	destination_free(destination);
	us_host_vm_stop_expecting(vm);
}

static void report(struct us_host_vm *vm, const char *stage, const char *what)
{
	char line[128];

	snprintf(line, sizeof(line), "vm %s: %s", us_host_vm_name(vm), what);
	us_migration_report(vm, stage, line);
}

static json_t *arrived_json(void)
{
	return json_pack("{s:s, s:b}", "uri", "", "arrived", true);
}

void us_destination_guest_arrived(struct us_destination *destination)
{
	struct us_host_vm *vm = destination->vm;

	if (destination->has_arrived)
		return;
	destination->has_arrived = true;
	us_vmm_stop_listening(us_host_vm_vmm(vm));
	us_migration_settings_restore(vm); /* before the next migration can begin */
	us_crash_point("receive", "arrived", NULL);
	report(vm, "arrived", "the guest arrived");
	us_timer_set(&destination->ending, us_now_usec() + HANDOFF_USEC);
	if (destination->call)
		us_call_continue(destination->call, arrived_json());
}

static void give_up(struct us_destination *destination)
{
	destination->call = NULL;
	end_access(destination);
	if (!destination->is_requesting)
		destination_free(destination);
}

static void on_ending(void *userdata)
{
	struct us_destination *destination = userdata;

	if (destination->call)
		us_call_reply(destination->call, arrived_json());
	give_up(destination);
}

static void on_gone(void *userdata, struct us_call *call)
{
	struct us_destination *destination = userdata;
	struct us_host_vm *vm = destination->vm;
	bool has_arrived = destination->has_arrived;

	if (!has_arrived)
		report(vm, "abandoned", "the source gave up the migration");
	give_up(destination);
	/* The guest stays at the source: ends parking for it here. */
	if (!has_arrived)
		us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED });
	if (!has_arrived)
		us_host_vm_stop_expecting(vm);
}

/* ---- QEMU ---- */

/*
 * QEMU has answered a request. Returns the destination, or NULL if it is over: QEMU refused, or the
 * source gave up.
 */
static struct us_destination *answered(struct us_host_vm *vm, const struct us_reason *refusal)
{
	struct us_destination *destination = us_migration_of_vm(vm)->destination;

	destination->is_requesting = false;
	if (!refusal && destination->call)
		return destination;
	us_destination_fail(destination, refusal);
	return NULL;
}

/* Takes note of a request to QEMU, or fails if it could not be made: @r < 0. */
static void requested(struct us_destination *destination, int r)
{
	struct us_reason reason;

	destination->is_requesting = r == 0;
	if (r == 0)
		return;
	us_refuse(&reason, "%s", us_strerror(r));
	us_destination_fail(destination, &reason);
}

static void on_listening(void *userdata, int r, const struct us_reason *reason, const char *uri)
{
	struct us_destination *destination = answered(userdata, reason);

	if (!destination)
		return;
	us_crash_point("receive", "listening", NULL);
	us_call_continue(destination->call,
			 json_pack("{s:s, s:b, s:s}", "uri", uri, "arrived", false, "token",
				   us_migration_of_vm(destination->vm)->admission.token));
}

static void on_configured(void *userdata, int r, const struct us_reason *reason)
{
	struct us_destination *destination = answered(userdata, reason);

	if (destination)
		requested(destination, us_vmm_listen_transfer(us_host_vm_vmm(destination->vm),
							      destination->address, on_listening,
							      destination->vm));
}

/* libvirt chooses the port where it listens, and applies the settings at the source. */
static void expect_domain(struct us_destination *destination)
{
	char uri[sizeof(destination->address) + sizeof("tcp:")];

	snprintf(uri, sizeof(uri), "tcp:%s", destination->address);
	us_call_continue(destination->call,
			 json_pack("{s:s, s:b, s:s}", "uri", uri, "arrived", false, "token",
				   us_migration_of_vm(destination->vm)->admission.token));
}

/* ---- Reservation ---- */

static int check_reserved(const struct us_host_vm *vm, bool *ret_done, struct us_reason *reason)
{
	const struct us_host_pair *pair;

	*ret_done = true;
	us_host_vm_for_each_pair (pair, vm) {
		const struct us_pair *engine = us_host_pair_engine(pair);

		if (!engine->facts.assigned)
			continue;
		if (us_pair_is_reserve_refused(engine))
			return us_refuse(reason, "pair %s: %s: %s", us_host_pair_name(pair),
					 us_cause_text(us_pair_cause(engine)),
					 us_host_pair_detail(pair));
		*ret_done &= us_pair_is_reserved(engine);
	}
	return 0;
}

static bool recheck(struct us_deferred *deferred)
{
	struct us_destination *destination =
		US_CONTAINER_OF(deferred, struct us_destination, deferred);
	struct us_host_vm *vm = destination->vm;
	struct us_reason reason;
	bool is_done;
	int r = check_reserved(vm, &is_done, &reason);

	if (r != 0) {
		us_destination_fail(destination, &reason);
		us_host_vm_stop_expecting(vm);
		return true;
	}
	if (!is_done)
		return false;
	us_list_remove(&deferred->link);
	if (us_host_vm_facts(vm)->is_expected) {
		expect_domain(destination);
		return true;
	}
	requested(destination,
		  us_vmm_configure_transfer(us_host_vm_vmm(vm), destination->settings,
					    us_migration_settings_remember, on_configured, vm));
	return true;
}

/* ---- Start ---- */

static int check(struct us_host_vm *vm, const struct us_call *call, const json_t *parameters,
		 struct us_reason *reason)
{
	struct us_destination *other = us_migration_of_vm(vm)->destination;

	if (!us_call_wants_more(call))
		return us_refuse(reason, "Receive streams: call it with `more`");
	/* Before the other parameters: they may have another meaning in another version. */
	if (us_peer_check_protocol(parameters, "source", reason) != 0)
		return US_REFUSED;
	if (!us_vmm_is_adopted(us_host_vm_vmm(vm)) && !us_host_vm_facts(vm)->is_expected)
		return us_refuse(reason, "vm %s cannot be asked now: %s", us_host_vm_name(vm),
				 us_host_vm_problem(vm));
	if (us_host_vm_facts(vm)->state != US_VM_INCOMING) {
		us_refuse(reason, "vm %s is %s, not waiting for a guest", us_host_vm_name(vm),
			  us_vm_state_name(us_host_vm_facts(vm)->state));
		return us_advise(reason, "start it with -incoming defer");
	}
	if (other) {
		us_refuse(reason, "vm %s: a migration to it is %s", us_host_vm_name(vm),
			  other->call ? "under way" : "being given up");
		return other->call ? US_REFUSED : us_advise(reason, "try again in a moment");
	}
	return us_peer_check_pairs(vm, json_object_get(parameters, "pairs"), reason);
}

/*
 * Where to listen: at the configured address, else where the source reached this host. A source
 * that reached it at no address is on this host.
 */
static const char *address_for(const struct us_migrations *common, const struct us_call *call)
{
	const char *reached = us_call_address(call);

	if (common->address)
		return common->address;
	return reached ? reached : "127.0.0.1";
}

static int destination_new(struct us_destination **ret_destination, struct us_host_vm *vm)
{
	struct us_destination *destination = calloc(1, sizeof(*destination));
	int r = destination ? us_admission_grant(&us_migration_of_vm(vm)->admission) : -ENOMEM;

	if (r == 0)
		r = us_timer_init(&destination->ending, us_host_vm_loop(vm), on_ending,
				  destination);
	if (r < 0) {
		us_admission_revoke(&us_migration_of_vm(vm)->admission);
		free(destination);
		return r;
	}
	destination->vm = vm;
	*ret_destination = us_migration_of_vm(vm)->destination = destination;
	return 0;
}

void us_migration_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters)
{
	json_t *settings = json_object_get(parameters, "settings");
	struct us_destination *destination;
	struct us_reason reason;
	int r = check(vm, call, parameters, &reason);

	if (r == 0)
		r = destination_new(&destination, vm);
	if (r != 0) {
		us_call_fail_with(call, "Refused", r, &reason);
		if (!us_migration_of_vm(vm)->destination)
			us_host_vm_stop_expecting(vm);
		return;
	}
	destination->call = call;
	destination->settings = json_is_object(settings) ? json_incref(settings) : json_object();
	snprintf(destination->address, sizeof(destination->address), "%s",
		 address_for(us_migration_of_vm(vm)->common, call));
	destination->deferred.check = recheck;
	us_call_on_gone(call, on_gone, destination);
	us_host_vm_defer(vm, &destination->deferred);
	us_crash_point("receive", "asked", NULL);
}
