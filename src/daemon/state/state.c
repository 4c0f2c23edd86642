/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What survives the daemon: which VMs and pairs there are, and the wishes about them. Everything
 * else is observed anew. One JSON file, replaced whole, at each change, before that is answered;
 * what of it is a VM's is kept as text until that VM changes. A file that makes no sense is set
 * aside, never half used.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "api/codec.h"
#include "daemon/daemon.h"
#include "daemon/migration/migration.h"
#include "util/clock.h"
#include "util/file.h"

enum {
	SAVE_DELAY_USEC = 20 * 1000,
	SAVE_AGAIN_USEC = 1000 * 1000, /* after it failed */
	VERSION = 1,
};

static void path_of(const struct us_daemon *daemon, const char *suffix, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/state.json%s", daemon->state_dir, suffix);
}

/* ---- Saving ---- */

static json_t *pair_state(const struct us_host_pair *pair)
{
	bool is_wanted = us_pair_is_assigned(&pair->engine) || pair->assign_next;
	json_t *state;
	char mac[US_MAC_TEXT_SIZE];

	us_mac_text(pair->spec.mac, mac);
	state = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:s*}", "name",
			  pair->spec.name, "standby", pair->spec.standby, "port", pair->spec.port,
			  "bus", pair->spec.bus, "group", pair->spec.group, "mac", mac, "mode",
			  us_mode_name(pair->engine.config.mode), "primary",
			  is_wanted ? pair->spec.primary.text : "", "hold",
			  us_pair_is_on_hold(&pair->engine), "mtu", pair->spec.mtu, "queue_pairs",
			  pair->spec.queue_pairs, "found",
			  pair->has_original_entry ? pair->original_entry : NULL);
	us_pair_options_write(&pair->spec.options, state);
	return state;
}

/* NULL for want of memory: a state with a gap would be taken for the whole. */
static json_t *vm_state(const struct us_host_vm *vm)
{
	US_CLEANUP(json_decrefp) json_t *pairs = json_array();
	const struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (!us_pair_is_removing(&pair->engine) &&
		    json_array_append_new(pairs, pair_state(pair)) < 0)
			return NULL;
	return json_pack("{s:s, s:o, s:b, s:O, s:O*}", "name", vm->name, "qmp",
			 us_wire_string(vm->monitor_path), "prepared", vm->prepared, "pairs", pairs,
			 "settings_before", us_migration_saved(vm));
}

char *us_state_vm_text(const struct us_host_vm *vm)
{
	US_CLEANUP(json_decrefp) json_t *state = vm_state(vm);

	return state ? json_dumps(state, JSON_INDENT(1)) : NULL;
}

static struct iovec part(const char *text)
{
	return (struct iovec){ .iov_base = (char *)text, .iov_len = strlen(text) };
}

static size_t count_vms(const struct us_daemon *daemon)
{
	const struct us_host_vm *vm;
	size_t count = 0;

	us_list_for_each (vm, &daemon->vms, link)
		count++;
	return count;
}

static int write_state(const struct us_daemon *daemon, const char *path)
{
	struct us_host_vm *vm;
	size_t count = 0;
	US_CLEANUP(us_freep)
	struct iovec *parts = calloc(2 * count_vms(daemon) + 2, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	parts[count++] = part("{\"version\": 1, \"vms\": [");
	us_list_for_each (vm, &daemon->vms, link) {
		if (vm->attaching)
			continue;
		if (!vm->saved)
			vm->saved = us_state_vm_text(vm);
		if (!vm->saved)
			return -ENOMEM;
		parts[count] = part(count > 1 ? ",\n" : "\n");
		parts[count + 1] = part(vm->saved);
		count += 2;
	}
	parts[count++] = part("\n]}\n");
	return us_file_replace(path, parts, count);
}

static void save_in(struct us_daemon *daemon, uint64_t usec)
{
	sd_event_source_set_time_relative(daemon->saving, usec);
	sd_event_source_set_enabled(daemon->saving, SD_EVENT_ONESHOT);
}

int us_state_save(struct us_daemon *daemon)
{
	char path[PATH_MAX];
	int r;

	/* What is not loaded yet would be missing in the file. */
	if (daemon->is_loading) {
		daemon->must_save = true;
		return 0;
	}
	path_of(daemon, "", path);
	r = write_state(daemon, path);
	if (r == 0)
		sd_event_source_set_enabled(daemon->saving, SD_EVENT_OFF);
	else
		save_in(daemon, SAVE_AGAIN_USEC);
	if (r < 0 && !daemon->is_unsaved)
		us_log(LOG_ERR,
		       "%s cannot be written: %s: make room, or what changes now is forgotten at a "
		       "restart",
		       path, us_strerror(r));
	else if (r == 0 && daemon->is_unsaved)
		us_log(LOG_INFO, "%s is written again", path);
	daemon->is_unsaved = r < 0;
	return r;
}

void us_state_forget_text(struct us_host_vm *vm)
{
	free(US_STEAL(vm->saved));
}

int us_state_save_vm(struct us_host_vm *vm)
{
	us_state_forget_text(vm);
	return us_state_save(vm->daemon);
}

void us_state_save_soon(struct us_host_vm *vm)
{
	us_state_forget_text(vm);
	save_in(vm->daemon, SAVE_DELAY_USEC);
}

/* ---- Loading ---- */

/* Cut, a name would be another one. */
static bool copy(char *target, size_t size, const char *text)
{
	return (size_t)snprintf(target, size, "%s", text) < size;
}

static bool is_in_range(int value, int max)
{
	return value >= 0 && value <= max;
}

/* @ret_start borrows from @state. */
static int read_pair(const json_t *state, struct us_pair_spec *ret_spec,
		     struct us_pair_start *ret_start)
{
	const char *name, *standby, *port, *bus, *group, *mac, *mode, *primary;
	struct us_pair_start start = { .original_entry = NULL };
	struct us_pair_spec pair = { .name = "" };
	int mtu, queue_pairs, hold, mode_number;

	if (json_unpack((json_t *)state,
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s?s}", "name",
			&name, "standby", &standby, "port", &port, "bus", &bus, "group", &group,
			"mac", &mac, "mode", &mode, "primary", &primary, "hold", &hold, "mtu", &mtu,
			"queue_pairs", &queue_pairs, "found", &start.original_entry) < 0)
		return -EBADMSG;
	mode_number = us_mode_from_name(mode);
	pair.mode = mode_number;
	pair.mtu = mtu;
	pair.queue_pairs = queue_pairs;
	if (!us_name_is_valid(name) || mode_number < 0 || us_mac_parse(mac, pair.mac) < 0 ||
	    us_pair_options_read(state, &pair.options, NULL) != 0 ||
	    (primary[0] && us_primary_spec_parse(primary, &pair.primary, NULL) != 0) ||
	    !is_in_range(mtu, UINT16_MAX) || !is_in_range(queue_pairs, UINT16_MAX) ||
	    !copy(pair.name, sizeof(pair.name), name) ||
	    !copy(pair.standby, sizeof(pair.standby), standby) ||
	    !copy(pair.port, sizeof(pair.port), port) || !copy(pair.bus, sizeof(pair.bus), bus) ||
	    !copy(pair.group, sizeof(pair.group), group))
		return -EBADMSG;
	start.hold = hold;
	*ret_spec = pair;
	*ret_start = start;
	return 0;
}

static int load_pair(struct us_host_vm *vm, const json_t *state)
{
	struct us_pair_spec spec;
	struct us_pair_start start;
	struct us_host_pair *pair;
	int r = read_pair(state, &spec, &start);

	if (r < 0)
		return r;
	if (us_daemon_pair(vm->daemon, spec.name))
		return -EBADMSG;
	return us_host_pair_new(&pair, vm, &spec, &start);
}

static int load_vm(struct us_daemon *daemon, const json_t *state)
{
	const char *name, *path;
	const json_t *pairs, *before = NULL;
	struct us_host_vm *vm;
	size_t i;
	int prepared, r;

	if (json_unpack((json_t *)state, "{s:s, s:s, s:b, s:o, s?o}", "name", &name, "qmp", &path,
			"prepared", &prepared, "pairs", &pairs, "settings_before", &before) < 0 ||
	    !us_name_is_valid(name) || us_daemon_vm(daemon, name))
		return -EBADMSG;
	r = us_host_vm_new(&vm, daemon, name, path);
	if (r < 0)
		return r;
	vm->prepared = prepared;
	r = us_migration_load(vm, (json_t *)before);
	for (i = 0; i < json_array_size(pairs) && r == 0; i++)
		r = load_pair(vm, json_array_get(pairs, i));
	if (r < 0)
		us_host_vm_free(vm);
	return r;
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
	struct us_reason reason = { .text = "" };
	const json_t *vm;
	size_t i;

	json_array_foreach (vms, i, vm) {
		int r = load_vm(daemon, vm);

		if (r < 0 && r != -EBADMSG && r != -EINVAL)
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

/* What was to be saved meanwhile is saved now, before the switch is changed for any pair. */
static int load_and_save(struct us_daemon *daemon, const char *path, const json_t *vms)
{
	int r;

	daemon->is_loading = true;
	r = load_vms(daemon, path, vms);
	daemon->is_loading = false;
	if (r == 0 && daemon->must_save)
		us_state_save(daemon);
	daemon->must_save = false;
	return r;
}

/* Refused: it is not what one of us wrote. What cannot be read now says nothing of that. */
static int read_state(const char *path, json_t **ret_state, struct us_reason *reason)
{
	US_CLEANUP(json_decrefp) json_t *state = NULL;
	json_error_t error;
	int version;

	errno = 0;
	state = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!state && json_error_code(&error) == json_error_cannot_open_file && errno)
		return -errno;
	if (!state && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!state)
		return us_refuse(reason, "%s", error.text);
	if (json_unpack(state, "{s:i}", "version", &version) < 0 || version != VERSION)
		return us_refuse(reason, "of another version");
	if (!json_is_array(json_object_get(state, "vms")))
		return us_refuse(reason, "without a list of VMs");
	*ret_state = US_STEAL(state);
	return 0;
}

int us_state_load(struct us_daemon *daemon)
{
	US_CLEANUP(json_decrefp) json_t *state = NULL;
	struct us_reason reason;
	char path[PATH_MAX];
	int r;

	path_of(daemon, "", path);
	r = read_state(path, &state, &reason);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		us_log(LOG_ERR, "%s cannot be read: %s", path, us_strerror(r));
		return r;
	}
	if (r > 0) {
		set_aside(daemon, path, reason.text);
		return 0;
	}
	return load_and_save(daemon, path, json_object_get(state, "vms"));
}
