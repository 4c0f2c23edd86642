/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What survives the daemon: which VMs and pairs there are, and the wishes about them. Everything
 * else is observed anew. One JSON file, replaced whole; a file that makes no sense is set aside,
 * never half used.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "api/codec.h"
#include "daemon/daemon.h"
#include "util/clock.h"

enum {
	SAVE_DELAY_USEC = 20 * 1000,
	VERSION = 1,
};

static void path_of(const struct us_daemon *daemon, const char *suffix, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/state.json%s", daemon->state_dir, suffix);
}

/* ---- Saving ---- */

static json_t *pair_state(const struct us_host_pair *pair)
{
	bool is_wanted = pair->engine.assigned || pair->assign_next;
	json_t *state;
	char mac[18];

	us_mac_text(pair->mac, mac);
	state = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:s*}", "name", pair->name,
		"standby", pair->standby, "port", pair->port, "bus", pair->bus, "group",
		pair->group, "mac", mac, "mode", us_mode_name(pair->engine.config.mode), "primary",
		is_wanted ? pair->primary.text : "", "hold", pair->engine.hold, "mtu", pair->mtu,
		"queue_pairs", pair->queue_pairs, "found", pair->has_found ? pair->found : NULL);
	us_options_write(&pair->options, state);
	return state;
}

static json_t *whole_state(const struct us_daemon *daemon)
{
	json_t *vms = json_array();
	struct us_host_vm *vm;

	us_list_for_each (vm, &daemon->vms, link) {
		json_t *pairs = json_array();
		struct us_host_pair *pair;

		if (vm->attaching)
			goto skip;
		us_list_for_each (pair, &vm->pairs, link)
			if (!pair->engine.removing)
				json_array_append_new(pairs, pair_state(pair));
		json_array_append_new(vms, json_pack("{s:s, s:o, s:b, s:O}", "name", vm->name,
						     "qmp", us_wire_string(vm->monitor_path),
						     "prepared", vm->prepared, "pairs", pairs));
	skip:
		json_decref(pairs);
	}
	return json_pack("{s:i, s:o}", "version", VERSION, "vms", vms);
}

int us_state_save(struct us_daemon *daemon)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	json_t *state = whole_state(daemon);
	int r = 0;

	path_of(daemon, "", path);
	path_of(daemon, ".new", fresh);
	if (!state || json_dump_file(state, fresh, JSON_INDENT(1)) < 0 || rename(fresh, path) < 0)
		r = errno ? -errno : -EIO;
	json_decref(state);
	sd_event_source_set_enabled(daemon->saving, SD_EVENT_OFF);
	if (r < 0)
		us_log(LOG_ERR,
		       "%s cannot be written: %s: make room, or the pairs are forgotten at "
		       "a restart",
		       path, us_strerror(r));
	return r;
}

void us_state_changed(struct us_daemon *daemon)
{
	sd_event_source_set_time_relative(daemon->saving, SAVE_DELAY_USEC);
	sd_event_source_set_enabled(daemon->saving, SD_EVENT_ONESHOT);
}

/* ---- Loading ---- */

static int load_pair(struct us_host_vm *vm, const json_t *state)
{
	struct us_host_pair description = { 0 }, *pair;
	const char *name, *standby, *port, *bus, *group, *mac, *mode, *primary, *found = NULL;
	int hold, mtu, queue_pairs;

	if (json_unpack((json_t *)state,
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s?s}", "name",
			&name, "standby", &standby, "port", &port, "bus", &bus, "group", &group,
			"mac", &mac, "mode", &mode, "primary", &primary, "hold", &hold, "mtu", &mtu,
			"queue_pairs", &queue_pairs, "found", &found) < 0)
		return -EBADMSG;
	if (!us_name_is_valid(name) || us_daemon_pair(vm->daemon, name) ||
	    us_options_read(state, &description.options, NULL) != 0 ||
	    us_mode_from_name(mode) < 0 || us_mac_parse(mac, description.mac) < 0 ||
	    (primary[0] && us_primary_parse(primary, &description.primary, NULL) != 0))
		return -EBADMSG;
	us_list_init(&description.link);
	snprintf(description.name, sizeof(description.name), "%s", name);
	snprintf(description.standby, sizeof(description.standby), "%s", standby);
	snprintf(description.port, sizeof(description.port), "%s", port);
	snprintf(description.bus, sizeof(description.bus), "%s", bus);
	snprintf(description.group, sizeof(description.group), "%s", group);
	description.mtu = mtu;
	description.queue_pairs = queue_pairs;
	description.has_found = found;
	snprintf(description.found, sizeof(description.found), "%s", found ? found : "");
	return us_host_pair_new(&pair, vm, &description, us_mode_from_name(mode), hold);
}

static int load_vm(struct us_daemon *daemon, const json_t *state)
{
	const char *name, *path;
	const json_t *pairs, *pair;
	struct us_host_vm *vm;
	size_t i;
	int prepared, r;

	if (json_unpack((json_t *)state, "{s:s, s:s, s:b, s:o}", "name", &name, "qmp", &path,
			"prepared", &prepared, "pairs", &pairs) < 0 ||
	    !us_name_is_valid(name) || us_daemon_vm(daemon, name))
		return -EBADMSG;
	r = us_host_vm_new(&vm, daemon, name, path);
	if (r < 0)
		return r;
	vm->prepared = prepared;
	json_array_foreach (pairs, i, pair) {
		r = load_pair(vm, pair);
		if (r < 0) {
			us_host_vm_free(vm);
			return r;
		}
	}
	return 0;
}

static void set_aside(struct us_daemon *daemon, const char *path, const char *why)
{
	char aside[PATH_MAX];

	path_of(daemon, ".bad", aside);
	rename(path, aside);
	us_log(LOG_ERR, "%s: %s: set aside as %s: add again what it held and status does not show",
	       path, why, aside);
}

/* Those that make sense; an entry that does not is left out whole. */
static int load_vms(struct us_daemon *daemon, const char *path, const json_t *vms)
{
	struct us_reason reason = { "" };
	const json_t *vm;
	size_t i;

	json_array_foreach (vms, i, vm) {
		int r = load_vm(daemon, vm);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			us_refuse(&reason, "VM %zu of it cannot be taken over: %s", i + 1,
				  us_strerror(r));
	}
	if (!reason.text[0])
		return 0;
	set_aside(daemon, path, reason.text);
	return us_state_save(daemon);
}

int us_state_load(struct us_daemon *daemon)
{
	char path[PATH_MAX];
	json_error_t error;
	json_t *state;
	int version = 0, r;

	path_of(daemon, "", path);
	if (access(path, F_OK) < 0)
		return 0;
	state = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!state || json_unpack(state, "{s:i}", "version", &version) < 0 || version != VERSION) {
		set_aside(daemon, path, state ? "of another version" : error.text);
		json_decref(state);
		return 0;
	}
	r = load_vms(daemon, path, json_object_get(state, "vms"));
	json_decref(state);
	return r;
}
