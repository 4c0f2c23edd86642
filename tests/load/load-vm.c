/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VM of the load: one act after the other, each in steps that are set by a timer or begun by what
 * the daemon asks or answers. It only does what a VM, its guest and its upper layer can do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "load/load.h"
#include "util/clock.h"

#define MSEC US_USEC_PER_MSEC

enum {
	LOOK_MSEC = 20,	     /* at what is waited for and tells no event */
	GUEST_HIDES_MAX = 4, /* then it is attached anew: the back-off doubles each time */
};

static const char *const act_names[] = {
	[LOAD_RESET] = "reset",	    [LOAD_UNBIND] = "unbind",	[LOAD_HOLD] = "hold",
	[LOAD_PREPARE] = "prepare", [LOAD_MIGRATE] = "migrate", [LOAD_CRASH] = "crash",
	[LOAD_REATTACH] = "renew",
};
_Static_assert(US_ARRAY_LENGTH(act_names) == LOAD_ACTIONS, "a name for each");

const char *load_action_name(enum load_action act)
{
	return act_names[act];
}

static void then(struct load_vm *vm, unsigned low_msec, unsigned high_msec,
		 void (*next)(struct load_vm *vm))
{
	vm->next = next;
	us_timer_set(&vm->timer, us_now_usec() + load_random(vm->load, low_msec, high_msec) * MSEC);
}

static void on_timer(void *userdata)
{
	struct load_vm *vm = userdata;

	vm->next(vm);
}

static void begin(struct load_vm *vm);

static void rest(struct load_vm *vm)
{
	unsigned pause = vm->load->pause_msec;

	vm->is_busy = false;
	then(vm, pause / 2, pause + pause / 2, begin);
}

static struct bench_qemu *peer_of(struct load_vm *vm)
{
	return &vm->here->peer;
}

static struct load_instance *there(struct load_vm *vm)
{
	return &vm->places[!vm->here->side];
}

/* ---- Calls: a connection for each, as of a command that someone runs ---- */

typedef void (*answer_fn)(struct load_vm *vm, const char *error, const json_t *parameters);

struct call {
	struct load_vm *vm;
	struct us_client *client;
	answer_fn answer;
};

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct call *call = userdata;

	if (more)
		return;
	call->answer(call->vm, error, parameters);
	us_client_free(call->client);
	free(call);
}

/* Takes @parameters. */
static void ask(struct load_vm *vm, unsigned side, const char *method, json_t *parameters,
		bool more, answer_fn answer)
{
	struct call *call = malloc(sizeof(*call));
	char address[80];
	int r = -ENOMEM;

	bench_daemon_address(&vm->load->daemons[side], address);
	if (call) {
		*call = (struct call){ .vm = vm, .answer = answer };
		r = us_client_new(&call->client, vm->load->loop, address);
	}
	if (r == 0)
		r = us_client_call(call->client, method, parameters, more, on_answer, call);
	if (r < 0)
		bench_fail(method, r);
}

static json_t *name_of(const struct load_vm *vm, const char *key, char letter)
{
	char name[20];

	snprintf(name, sizeof(name), "%c%u", letter, vm->index);
	return json_pack("{s:s}", key, name);
}

/* Whether it is as it should be; tells a trouble if not. */
static bool is_fine(struct load_vm *vm, const char *error, const json_t *parameters)
{
	const char *words = json_string_value(json_object_get(parameters, "message"));

	if (error)
		load_error(vm->load, "v%u: %s: %s", vm->index, load_action_name(vm->act),
			     words ? words : error);
	return !error;
}

/* ---- The guest ---- */

static void reach_driver_ok(struct load_vm *vm)
{
	peer_of(vm)->guest = BENCH_GUEST_CAPABLE;
	rest(vm);
}

/* A driver comes, once the primary is gone that no driver can have. */
static void boot(struct load_vm *vm)
{
	unsigned dice = load_random(vm->load, 1, 100);

	if (vm->awaits_unplug || !peer_of(vm)->adopted) {
		then(vm, LOOK_MSEC, LOOK_MSEC, boot);
	} else if (dice <= 80) {
		bench_qemu_negotiate(peer_of(vm), BENCH_GUEST_STARTING);
		then(vm, 5, 50, reach_driver_ok);
	} else {
		bench_qemu_negotiate(peer_of(vm),
				     dice <= 95 ? BENCH_GUEST_LEGACY : BENCH_GUEST_NONE);
		rest(vm);
	}
}

/* What the daemon has to do when the driver goes. */
static void expect_unplug(struct load_vm *vm, bool is_reset)
{
	const struct bench_qemu *peer = peer_of(vm);

	vm->awaits_unplug = peer->has_primary && !peer->is_unplugging;
	vm->is_reset = is_reset;
	vm->guest_hides += vm->awaits_unplug;
}

static void act_reset(struct load_vm *vm)
{
	expect_unplug(vm, true);
	vm->reset_usec = bench_qemu_reset(peer_of(vm), true);
	then(vm, 100, 1500, boot);
}

static void act_unbind(struct load_vm *vm)
{
	expect_unplug(vm, false);
	peer_of(vm)->guest = BENCH_GUEST_NONE;
	then(vm, 100, 3000, boot);
}

/* ---- The upper layer ---- */

static void on_hold_ended(struct load_vm *vm, const char *error, const json_t *parameters)
{
	is_fine(vm, error, parameters);
	rest(vm);
}

static void end_hold(struct load_vm *vm)
{
	json_t *parameters = name_of(vm, "name", 'p');

	json_object_set_new(parameters, "hold", json_false());
	ask(vm, vm->here->side, "SetHold", parameters, false, on_hold_ended);
}

static void on_held(struct load_vm *vm, const char *error, const json_t *parameters)
{
	const json_t *pair = json_object_get(parameters, "pair");
	const char *primary = json_string_value(json_object_get(pair, "primary"));

	if (is_fine(vm, error, parameters) &&
	    (!primary || strcmp(primary, "hidden") != 0 || peer_of(vm)->has_primary))
		load_error(vm->load, "p%u: held, and its primary is %s", vm->index, primary);
	then(vm, 20, 500, end_hold);
}

static void act_hold(struct load_vm *vm)
{
	json_t *parameters = name_of(vm, "name", 'p');

	json_object_set_new(parameters, "hold", json_true());
	ask(vm, vm->here->side, "SetHold", parameters, false, on_held);
}

static void on_added(struct load_vm *vm, const char *error, const json_t *parameters)
{
	is_fine(vm, error, parameters);
	vm->guest_hides = 0;
	rest(vm);
}

static json_t *pair_json(const struct load_instance *place)
{
	const struct load_vm *vm = place->vm;
	char name[20], of[20], port[20], spec[60];

	snprintf(name, sizeof(name), "p%u", vm->index);
	snprintf(of, sizeof(of), "v%u", vm->index);
	snprintf(port, sizeof(port), "s%u", place->peer.port);
	snprintf(spec, sizeof(spec), "emulated:vmxnet3,port=p%u", place->peer.port);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "vm", of, "standby",
			 "net0", "port", port, "primary", spec, "mode",
			 vm->is_mover ? "combined" : "coupled");
}

static json_t *vm_json(const struct load_instance *place)
{
	json_t *parameters = name_of(place->vm, "name", 'v');

	json_object_set_new(parameters, "qmp", json_string(place->path));
	return parameters;
}

static void on_attached(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (is_fine(vm, error, parameters))
		ask(vm, vm->here->side, "AddPair", pair_json(vm->here), false, on_added);
}

static void on_detached(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (!is_fine(vm, error, parameters))
		return;
	vm->here->renewals++;
	ask(vm, vm->here->side, "AttachVm", vm_json(vm->here), false, on_attached);
}

/* What the VM told before is watched with its name; so that nothing is lost with it: wait. */
static void act_renew(struct load_vm *vm)
{
	if (vm->here->unseen_count)
		then(vm, LOOK_MSEC, LOOK_MSEC, act_renew);
	else
		ask(vm, vm->here->side, "DetachVm", name_of(vm, "name", 'v'), false, on_detached);
}

/* ---- QEMU ---- */

static void start_qemu(struct load_instance *place, const char *status)
{
	struct load *load = place->vm->load;
	int r = bench_qemu_open(&place->peer, place->path, load->host.taps[place->peer.port]);

	if (r < 0)
		bench_fail(place->path, r);
	place->peer.guest = BENCH_GUEST_NONE;
	place->peer.has_primary = false;
	place->peer.status = status;
}

static void end_qemu(struct load_instance *place)
{
	us_timer_stop(&place->eject);
	bench_qemu_close(&place->peer);
	unlink(place->path);
}

static void start_anew(struct load_vm *vm)
{
	start_qemu(vm->here, "running");
	then(vm, 100, 500, boot);
}

static void act_crash(struct load_vm *vm)
{
	vm->awaits_unplug = false;
	end_qemu(vm->here);
	then(vm, 50, 300, start_anew);
}

/* ---- A migration by somebody else, between prepare and finish ---- */

static void on_finished(struct load_vm *vm, const char *error, const json_t *parameters)
{
	is_fine(vm, error, parameters);
	rest(vm);
}

/* The guest is elsewhere: this QEMU ends, and the next one is another boot. */
static void act_end(struct load_vm *vm)
{
	act_crash(vm);
}

static void end_foreign_transfer(struct load_vm *vm)
{
	struct bench_qemu *peer = peer_of(vm);

	if (load_random(vm->load, 0, 1)) {
		bench_qemu_set_migration(peer, load_random(vm->load, 0, 1) ? "failed" : "cancelled");
		ask(vm, vm->here->side, "Finish", name_of(vm, "vm", 'v'), false, on_finished);
		return;
	}
	bench_qemu_set_running(peer, "finish-migrate");
	bench_qemu_set_migration(peer, "completed");
	peer->status = "postmigrate";
	then(vm, 20, 300, act_end);
}

static void check_hidden(struct load_vm *vm)
{
	if (peer_of(vm)->has_primary)
		load_error(vm->load, "v%u: a migration starts while it has its primary",
			     vm->index);
}

static void on_prepared(struct load_vm *vm, const char *error, const json_t *parameters)
{
	if (!is_fine(vm, error, parameters)) {
		rest(vm);
		return;
	}
	check_hidden(vm);
	bench_qemu_set_migration(peer_of(vm), "setup");
	bench_qemu_set_migration(peer_of(vm), "active");
	then(vm, 50, 500, end_foreign_transfer);
}

static void act_prepare(struct load_vm *vm)
{
	ask(vm, vm->here->side, "Prepare", name_of(vm, "vm", 'v'), false, on_prepared);
}

/* ---- A migration to the other daemon ---- */

static void await_other(struct load_vm *vm)
{
	if (there(vm)->peer.adopted)
		rest(vm);
	else
		then(vm, LOOK_MSEC, LOOK_MSEC, await_other);
}

static void start_incoming(struct load_vm *vm)
{
	start_qemu(there(vm), "inmigrate");
	await_other(vm);
}

static void on_migrated(struct load_vm *vm, const char *error, const json_t *parameters)
{
	static const char *const outcomes[] = { "completed", "failed", "cancelled", "" };
	const char *words = json_string_value(json_object_get(parameters, "message"));
	bool has_moved = strcmp(vm->outcome, "completed") == 0;

	if (has_moved == !!error)
		load_error(vm->load, "v%u: its migration was %s, and told as %s", vm->index,
			     vm->outcome, error ? words : "succeeded");
	for (size_t i = 0; i < US_ARRAY_LENGTH(outcomes); i++)
		vm->load->migrations[i] += strcmp(vm->outcome, outcomes[i]) == 0;
	if (has_moved)
		vm->here = there(vm);
	if (there(vm)->peer.listener)
		end_qemu(there(vm));
	then(vm, 50, 300, start_incoming);
}

static void on_aborted(struct load_vm *vm, const char *error, const json_t *parameters)
{
	is_fine(vm, error, parameters);
}

static void arrive(struct load_vm *vm)
{
	struct bench_qemu *from = peer_of(vm), *to = &there(vm)->peer;

	bench_qemu_set_running(from, "finish-migrate");
	bench_qemu_negotiate(to, BENCH_GUEST_CAPABLE);
	bench_qemu_set_migration(from, "completed");
	from->status = "postmigrate";
	to->guest = from->guest;
	bench_qemu_set_migration(to, "completed");
	bench_qemu_set_running(to, "running");
}

static void end_transfer(struct load_vm *vm)
{
	unsigned dice = load_random(vm->load, 1, 10);

	if (dice <= 6) {
		vm->outcome = "completed";
		arrive(vm);
		return;
	}
	vm->outcome = dice <= 8 ? "failed" : "cancelled";
	if (dice <= 8) {
		end_qemu(there(vm));
		bench_qemu_set_migration(peer_of(vm), "failed");
	} else {
		ask(vm, vm->here->side, "AbortMigration", name_of(vm, "vm", 'v'), false,
		    on_aborted);
	}
}

static void start_transfer(struct load_vm *vm)
{
	check_hidden(vm);
	bench_qemu_set_migration(peer_of(vm), "setup");
	bench_qemu_set_migration(peer_of(vm), "active");
	bench_qemu_set_migration(&there(vm)->peer, "active");
	then(vm, 50, 500, end_transfer);
}

/* The destination's QEMU sees its connection end. */
static void cancel_transfer(struct load_vm *vm)
{
	bench_qemu_set_migration(peer_of(vm), "cancelling");
	end_qemu(there(vm));
	bench_qemu_set_migration(peer_of(vm), "cancelled");
}

static void act_migrate(struct load_vm *vm)
{
	json_t *parameters = name_of(vm, "vm", 'v');
	char address[80];

	bench_daemon_address(&vm->load->daemons[!vm->here->side], address);
	json_object_set_new(parameters, "destination", json_string(address));
	vm->outcome = "";
	ask(vm, vm->here->side, "Migrate", parameters, true, on_migrated);
}

/* ---- Acts ---- */

static void (*const acts[])(struct load_vm *vm) = {
	[LOAD_RESET] = act_reset,     [LOAD_UNBIND] = act_unbind,   [LOAD_HOLD] = act_hold,
	[LOAD_PREPARE] = act_prepare, [LOAD_MIGRATE] = act_migrate, [LOAD_CRASH] = act_crash,
	[LOAD_REATTACH] = act_renew,
};
_Static_assert(US_ARRAY_LENGTH(acts) == LOAD_ACTIONS, "a function for each");

static enum load_action choose(struct load_vm *vm)
{
	/* Of 20: how often each. */
	static const enum load_action often[] = {
		LOAD_RESET,   LOAD_RESET,   LOAD_RESET,	  LOAD_RESET,	LOAD_RESET,
		LOAD_UNBIND,  LOAD_UNBIND,  LOAD_HOLD,	  LOAD_HOLD,	LOAD_HOLD,
		LOAD_HOLD,    LOAD_HOLD,    LOAD_MIGRATE, LOAD_MIGRATE, LOAD_MIGRATE,
		LOAD_MIGRATE, LOAD_MIGRATE, LOAD_MIGRATE, LOAD_CRASH,	LOAD_REATTACH,
	};
	enum load_action act = often[load_random(vm->load, 0, US_ARRAY_LENGTH(often) - 1)];

	if (vm->guest_hides >= GUEST_HIDES_MAX)
		return LOAD_REATTACH;
	/* Only a guest that runs is migrated by its upper layer, here. */
	if (act == LOAD_MIGRATE)
		return vm->is_mover ? act : LOAD_PREPARE;
	return act;
}

static void begin(struct load_vm *vm)
{
	if (vm->load->is_ending)
		return;
	vm->act = choose(vm);
	vm->is_busy = true;
	vm->since_usec = us_now_usec();
	vm->load->acts[vm->act]++;
	acts[vm->act](vm);
}

/* ---- What the daemon asks of QEMU ---- */

static void sample(struct load_samples *samples, uint64_t usec)
{
	if (samples->count == samples->size) {
		samples->size = samples->size ? 2 * samples->size : 4096;
		samples->usec = realloc(samples->usec, samples->size * sizeof(*samples->usec));
		if (!samples->usec)
			bench_fail("samples", ENOMEM);
	}
	samples->usec[samples->count++] = usec;
}

static void on_unplug(struct load_instance *place, uint64_t at_usec)
{
	struct load_vm *vm = place->vm;

	if (vm->awaits_unplug && vm->is_reset)
		sample(&vm->load->unplug_samples, at_usec - vm->reset_usec);
	vm->awaits_unplug = false;
	/* The guest, or a reset, takes its time. */
	if (place->peer.is_unplugging && !us_timer_is_set(&place->eject))
		us_timer_set(&place->eject, us_now_usec() + load_random(vm->load, 1, 60) * MSEC);
}

static void on_eject(void *userdata)
{
	struct load_instance *place = userdata;

	bench_qemu_primary_deleted(&place->peer);
}

static void on_command(void *userdata, const char *command, uint64_t at_usec)
{
	struct load_instance *place = userdata;
	struct load_vm *vm = place->vm;

	if (strcmp(command, "device_del") == 0)
		on_unplug(place, at_usec);
	else if (strcmp(command, "device_add") == 0)
		vm->load->plugs++;
	else if (strcmp(command, "system_reset") == 0)
		bench_qemu_reset(&place->peer, false);
	else if (strcmp(command, "migrate") == 0)
		start_transfer(vm);
	else if (strcmp(command, "migrate_cancel") == 0)
		cancel_transfer(vm);
}

static void on_event(void *userdata, const char *name)
{
	load_check_expect_event(userdata, name);
}

void load_instance_answer_probes(struct load_instance *place)
{
	const struct bench_qemu *peer = &place->peer;

	bench_host_answer(&place->vm->load->host, peer->port,
			  peer->has_primary && peer->guest == BENCH_GUEST_CAPABLE);
}

/* ---- Life ---- */

static void open_place(struct load_vm *vm, unsigned side)
{
	static const struct bench_qemu_handler handler = { on_command, on_event };
	struct load *load = vm->load;
	struct load_instance *place = &vm->places[side];
	int r;

	place->vm = vm;
	place->side = side;
	place->peer = (struct bench_qemu){ .loop = load->loop,
					   .vm = vm->index,
					   .port = vm->index + side * load->vm_count,
					   .handler = &handler,
					   .userdata = place };
	strcpy(place->primary, "absent");
	snprintf(place->path, sizeof(place->path), "%s/%u.qmp", load->daemons[side].dir, vm->index);
	r = us_timer_init(&place->eject, load->loop, on_eject, place);
	if (r < 0)
		bench_fail("a timer", r);
	start_qemu(place, side == 0 ? "running" : "inmigrate");
}

void load_vm_open(struct load *load, unsigned index)
{
	struct load_vm *vm = &load->vms[index];
	int r;

	vm->load = load;
	vm->index = index;
	vm->is_mover = index < load->mover_count;
	vm->here = &vm->places[0];
	r = us_timer_init(&vm->timer, load->loop, on_timer, vm);
	if (r < 0)
		bench_fail("a timer", r);
	open_place(vm, 0);
	if (vm->is_mover)
		open_place(vm, 1);
	vm->here->peer.guest = BENCH_GUEST_CAPABLE;
}

void load_vm_close(struct load_vm *vm)
{
	us_timer_deinit(&vm->timer);
	for (unsigned side = 0; side < 2; side++) {
		struct load_instance *place = &vm->places[side];

		us_timer_deinit(&place->eject);
		bench_qemu_close(&place->peer);
		if (place->path[0])
			unlink(place->path);
	}
}

void load_vm_attach(struct load_vm *vm)
{
	for (unsigned side = 0; side < (vm->is_mover ? 2 : 1); side++) {
		struct bench_daemon *daemon = &vm->load->daemons[side];
		struct load_instance *place = &vm->places[side];

		json_decref(bench_daemon_call(daemon, "AttachVm", vm_json(place)));
		json_decref(bench_daemon_call(daemon, "AddPair", pair_json(place)));
	}
}

void load_vm_start(struct load_vm *vm)
{
	rest(vm);
}
