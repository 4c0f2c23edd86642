/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load/load-check.h"

/* ---- Events ---- */

void load_check_expect_event(struct load_instance *instance, const char *name)
{
	struct load *load = instance->vm->load;
	unsigned last =
		(instance->unreported_first + instance->unreported_count) % LOAD_UNREPORTED_MAX;

	load->events_sent++;
	load->resets_sent += strcmp(name, "RESET") == 0;
	load->negotiations_sent += strcmp(name, "FAILOVER_NEGOTIATED") == 0;
	load->unplugs += strcmp(name, "DEVICE_DELETED") == 0;
	if (instance->unreported_count == LOAD_UNREPORTED_MAX) {
		load_error(load, "v%u: %d events sent and not reported", instance->vm->index,
			   LOAD_UNREPORTED_MAX);
		return;
	}
	instance->unreported[last] = name;
	instance->unreported_count++;
}

static struct load_instance *instance_of(struct load *load, unsigned side, const json_t *event,
					 const char *key)
{
	const char *name = json_string_value(json_object_get(event, key));
	unsigned index;

	if (!name || sscanf(name, "%*c%u", &index) != 1 || index >= load->vm_count) {
		load_error(load, "an event of an unknown VM: %s", name ? name : "no name");
		return NULL;
	}
	return &load->vms[index].instances[side];
}

static void check_vm_event(struct load_instance *instance, const char *name)
{
	struct load *load = instance->vm->load;
	const char *expected = instance->unreported_count
				       ? instance->unreported[instance->unreported_first]
				       : "nothing";

	/* The daemon's own events, about its connection. */
	if (strcmp(name, "adopted") == 0 || strcmp(name, "lost") == 0 || strcmp(name, "gone") == 0)
		return;
	load->events_reported++;
	load->resets_reported += strcmp(name, "RESET") == 0;
	load->negotiations_reported += strcmp(name, "FAILOVER_NEGOTIATED") == 0;
	if (strcmp(name, expected) != 0)
		load_error(load, "v%u at daemon %u: %s was reported, %s was sent",
			   instance->vm->index, instance->side, name, expected);
	if (!instance->unreported_count)
		return;
	instance->unreported_first = (instance->unreported_first + 1) % LOAD_UNREPORTED_MAX;
	instance->unreported_count--;
}

/* "reserved" is the hidden state of an absent guest. As the previous state, it is reported as
 * hidden. */
static const char *plain(const char *primary)
{
	return strcmp(primary, "reserved") == 0 ? "hidden" : primary;
}

static void check_move(struct load_instance *instance, const char *from, const char *to)
{
	struct load *load = instance->vm->load;

	load->moves_reported++;
	if (strcmp(plain(instance->primary), from) != 0) {
		if (strcmp(from, "absent") == 0 && instance->reattachments > 0)
			instance->reattachments--;
		else
			load_error(load, "p%u at daemon %u: a move from %s after one to %s",
				   instance->vm->index, instance->side, from, instance->primary);
	}
	snprintf(instance->primary, sizeof(instance->primary), "%s", to);
	if (strcmp(from, to) == 0) /* only the reason changed */
		return;
	/* A pair may move from hiding or reserving to exposing in one step. */
	load->exposures += strcmp(to, "exposing") == 0 && strcmp(from, "unknown") != 0;
	load->hides += strcmp(from, "hiding") == 0 && strcmp(to, "unknown") != 0;
}

static void check_event(struct load *load, unsigned side, const json_t *event)
{
	const char *kind = "", *name = "", *from = "", *to = "";
	struct load_instance *instance;

	json_unpack((json_t *)event, "{s:s, s?s, s?s, s?s}", "event", &kind, "name", &name, "from",
		    &from, "to", &to);
	if (strcmp(kind, "dropped") == 0) {
		load_error(load, "daemon %u dropped events", side);
	} else if (strcmp(kind, "vm") == 0) {
		instance = instance_of(load, side, event, "vm");
		if (instance)
			check_vm_event(instance, name);
	} else if (strcmp(kind, "move") == 0) {
		instance = instance_of(load, side, event, "pair");
		if (instance)
			check_move(instance, from, to);
	}
}

struct subscription {
	struct load *load;
	unsigned side;
};

static void on_event(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct subscription *subscription = userdata;

	if (error)
		load_error(subscription->load, "the subscription to daemon %u ended: %s",
			   subscription->side, error);
	else
		check_event(subscription->load, subscription->side,
			    json_object_get(parameters, "event"));
}

void load_check_subscribe(struct load *load, unsigned side)
{
	static struct subscription subscriptions[2];
	char address[80];
	int r;

	subscriptions[side] = (struct subscription){ load, side };
	bench_daemon_address(&load->daemons[side], address);
	r = us_client_new(&load->subscriptions[side], load->loop, address);
	if (r == 0)
		r = us_client_call(load->subscriptions[side], "Monitor", NULL, true, on_event,
				   &subscriptions[side]);
	if (r < 0)
		bench_fail("Monitor", r);
	/* A later call on another connection: once it is answered, the subscription is active. */
	json_decref(bench_daemon_call(&load->daemons[side], "GetStatus", NULL));
}

/* ---- The end ---- */

/* A sticky entry on the switch: to a primary's port ('p') or a standby's ('s'); 0: none. */
struct entry {
	char letter;
	unsigned vm;
};

/* The entries by number of their port; the caller frees. */
static struct entry *read_switch(const struct load *load)
{
	struct entry *entries = calloc(load->host.count, sizeof(*entries));
	FILE *table = popen("bridge fdb show", "re");
	char line[300];

	while (entries && table && fgets(line, sizeof(line), table)) {
		unsigned high, low, port;
		char letter;

		if (!strstr(line, "sticky") ||
		    sscanf(line, "02:55:00:00:%x:%x dev %c%u", &high, &low, &letter, &port) != 4 ||
		    port >= load->host.count)
			continue;
		entries[port] = (struct entry){ letter, high << 8 | low };
	}
	if (table)
		pclose(table);
	return entries;
}

/* Whether the pair's status and its entry on the switch match the state of its VM. */
static bool matches_vm(const struct load_instance *instance, const json_t *pair,
		       const struct entry *entry)
{
	static const char *const guests[] = { "none", "capable", "capable", "legacy" };
	const struct bench_qemu *qemu = &instance->qemu;
	const char *guest = "", *primary = "", *path = "", *migration = "";
	bool is_here = instance == instance->vm->here, is_capable, is_right;
	int driver_ok = 0, hold = 0;

	json_unpack((json_t *)pair, "{s:s, s:b, s:s, s:s, s:s, s:b}", "guest", &guest, "driver_ok",
		    &driver_ok, "primary", &primary, "path", &path, "migration", &migration, "hold",
		    &hold);
	is_capable = is_here && qemu->guest == BENCH_GUEST_CAPABLE;
	is_right = strcmp(guest, guests[qemu->guest]) == 0 && !hold &&
		   qemu->has_primary == is_capable && !qemu->is_unplugging;
	if (!is_here)
		return is_right && strcmp(primary, "reserved") == 0 && strcmp(path, "none") == 0 &&
		       strcmp(migration, "incoming") == 0 && !entry->letter;
	return is_right && driver_ok == (qemu->guest != BENCH_GUEST_NONE) &&
	       strcmp(migration, "none") == 0 &&
	       strcmp(primary, is_capable ? "visible" : "hidden") == 0 &&
	       strcmp(path, is_capable ? "primary" : "standby") == 0 &&
	       entry->letter == (is_capable ? 'p' : 's') && entry->vm == instance->vm->index;
}

static unsigned compare_pairs(struct load *load, unsigned side, const struct entry *entries,
			      bool prints)
{
	json_t *answer = bench_daemon_call(&load->daemons[side], "ListPairs", NULL);
	unsigned count = side == 0 ? load->vm_count : load->mover_count, wrong = 0;
	json_t *pairs = json_object_get(answer, "pairs"), *pair;
	size_t i;

	if (json_array_size(pairs) != count && prints)
		load_error(load, "daemon %u has %zu pairs, not %u", side, json_array_size(pairs),
			   count);
	json_array_foreach (pairs, i, pair) {
		struct load_instance *instance = instance_of(load, side, pair, "name");
		const struct entry *entry = instance ? &entries[instance->qemu.port] : NULL;
		US_CLEANUP(us_freep) char *text = NULL;

		if (instance && matches_vm(instance, pair, entry))
			continue;
		wrong++;
		if (!prints || !instance)
			continue;
		text = json_dumps(pair, JSON_COMPACT);
		load_error(load,
			   "p%u at daemon %u: its guest is %d there%s, the VM %s the primary, the "
			   "switch has '%c': %s",
			   instance->vm->index, side, instance->qemu.guest,
			   instance == instance->vm->here ? "" : " (not here)",
			   instance->qemu.has_primary ? "has" : "has not",
			   entry->letter ? entry->letter : '-', text);
	}
	json_decref(answer);
	return wrong;
}

unsigned load_check_pairs(struct load *load, bool prints)
{
	struct entry *entries = read_switch(load);
	unsigned wrong = 0;

	for (unsigned side = 0; entries && side < 2; side++)
		wrong += compare_pairs(load, side, entries, prints);
	free(entries);
	return entries ? wrong : 1;
}

static void check_same(struct load *load, const char *what, uint64_t sent, uint64_t reported)
{
	if (sent != reported)
		load_error(load, "%s: %" PRIu64 " sent, %" PRIu64 " reported", what, sent,
			   reported);
}

void load_check_counts(struct load *load)
{
	for (unsigned i = 0; i < load->vm_count; i++)
		for (unsigned side = 0; side < 2; side++)
			if (load->vms[i].instances[side].unreported_count)
				load_error(load, "v%u at daemon %u: %u events were never reported",
					   i, side, load->vms[i].instances[side].unreported_count);
	check_same(load, "events", load->events_sent, load->events_reported);
	check_same(load, "resets", load->resets_sent, load->resets_reported);
	check_same(load, "negotiations", load->negotiations_sent, load->negotiations_reported);
	/* More moves than plugs: some are cancelled before the plug, or end with their QEMU. */
	if (load->plugs > load->exposures || load->unplugs > load->hides)
		load_error(load,
			   "%" PRIu64 " plugs in %" PRIu64 " moves, %" PRIu64 " unplugs in %" PRIu64
			   " moves",
			   load->plugs, load->exposures, load->unplugs, load->hides);
}
