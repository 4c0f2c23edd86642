/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch is not ours alone: entries are deleted and replaced, taps and bridges made anew. Pairs
 * whose MAC or ports that may concern look at it a moment later, all that comes at once together,
 * and the engine steers anew. Somebody who changes it again and again is answered, and makes a pair
 * look, once a second; others' pairs look as quickly as before.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "daemon/daemon.h"
#include "util/clock.h"

enum {
	SOON_USEC = 20 * 1000,
	AGAIN_USEC = 1000 * 1000,
	LOOKS_AT_ONCE = 5, /* of a pair: its own transitions make it look, too */
	LOST_USEC = 60 * 1000 * 1000,
};

static void look_in(struct us_daemon *daemon, uint64_t usec)
{
	uint64_t due_usec = us_now_usec() + usec;

	if (!us_timer_is_set(&daemon->looking) || daemon->looking.due_usec > due_usec)
		us_timer_set(&daemon->looking, due_usec);
}

/* Marks those pairs that @concerns, asked with @what. */
static void mark(struct us_daemon *daemon,
		 bool (*concerns)(const struct us_host_pair *pair, const void *what),
		 const void *what)
{
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link) {
		us_list_for_each (pair, &vm->pairs, link) {
			if (!concerns(pair, what))
				continue;
			pair->must_recheck = true;
			look_in(daemon, SOON_USEC);
		}
	}
}

static bool has_mac(const struct us_host_pair *pair, const void *mac)
{
	return memcmp(pair->spec.mac, mac, US_MAC_BYTES) == 0;
}

static void on_entry(void *userdata, const uint8_t mac[US_MAC_BYTES])
{
	mark(userdata, has_mac, mac);
	us_neighbourhood_changed(((struct us_daemon *)userdata)->vfs);
}

static bool has_port(const struct us_host_pair *pair, const void *name)
{
	return strcmp(pair->spec.port, name) == 0 || strcmp(pair->spec.primary.port, name) == 0;
}

static void on_interface(void *userdata, const char *name)
{
	mark(userdata, has_port, name);
	us_neighbourhood_changed(
		((struct us_daemon *)userdata)->vfs); /* one that was declared may be there now */
}

static bool is_any(const struct us_host_pair *pair, const void *what)
{
	return true;
}

static void on_lost(void *userdata)
{
	struct us_daemon *daemon = userdata;

	if (us_rate_take(&daemon->losing, us_now_usec(), LOST_USEC, 1))
		us_log(LOG_WARNING,
		       "more changed in the switch than could be told: looking at all of it");
	mark(daemon, is_any, NULL);
	us_neighbourhood_changed(((struct us_daemon *)userdata)->vfs);
}

static bool may_look(struct us_host_pair *pair)
{
	uint64_t now_usec = us_now_usec();

	return now_usec - pair->differed_usec >= AGAIN_USEC &&
	       us_rate_take(&pair->recheck_rate, now_usec, AGAIN_USEC, LOOKS_AT_ONCE);
}

static void on_looking(void *userdata)
{
	struct us_daemon *daemon = userdata;
	struct us_host_vm *vm;
	struct us_host_pair *pair;

	us_list_for_each (vm, &daemon->vms, link) {
		us_list_for_each (pair, &vm->pairs, link) {
			if (!pair->must_recheck)
				continue;
			pair->must_recheck = false;
			if (!may_look(pair) || !us_host_pair_recheck(pair)) {
				pair->must_recheck = true;
				look_in(daemon, AGAIN_USEC);
			}
		}
	}
}

void us_recheck_update_interest(struct us_daemon *daemon)
{
	struct us_changes_interest interest = { .port_count = 0 };
	US_CLEANUP(us_freep) uint8_t(*macs)[US_MAC_BYTES] = NULL;
	const struct us_host_vm *vm;
	const struct us_host_pair *pair;
	size_t count = 0;

	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			count++;
	if (!daemon->changes || daemon->is_stopping)
		return;
	macs = calloc(count + 1, sizeof(*macs));
	if (!macs)
		return; /* what was of interest still is */
	us_list_for_each (vm, &daemon->vms, link)
		us_list_for_each (pair, &vm->pairs, link)
			memcpy(macs[interest.mac_count++], pair->spec.mac, US_MAC_BYTES);
	interest.ports = us_vfs_neighbour_ports(daemon->vfs, &interest.port_count);
	interest.macs = (const uint8_t(*)[US_MAC_BYTES])macs;
	us_changes_set_interest(daemon->changes, &interest);
}

void us_recheck_later(struct us_host_pair *pair)
{
	pair->must_recheck = true;
	look_in(pair->vm->daemon, AGAIN_USEC);
}

int us_recheck_init(struct us_daemon *daemon)
{
	static const struct us_changes_handler handler = {
		.entry = on_entry,
		.interface = on_interface,
		.lost = on_lost,
	};
	int r = us_timer_init(&daemon->looking, daemon->loop, on_looking, daemon);

	if (r >= 0)
		r = us_changes_new(&daemon->changes, daemon->loop, &handler, daemon);
	return r < 0 ? r : 0;
}

void us_recheck_deinit(struct us_daemon *daemon)
{
	us_changes_free(US_STEAL(daemon->changes));
	us_timer_deinit(&daemon->looking);
}
