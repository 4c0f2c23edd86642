/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the state file at the start of the daemon, and makes its VMs and pairs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/state/state-private.h"
#include "util/log.h"

/* ---- A pair ---- */

static int read_pair(const json_t *object, struct us_pair_spec *ret_spec,
		     struct us_pair_start *ret_start)
{
	const char *entry = NULL;
	int hold;

	if (json_unpack((json_t *)object, "{s:b, s?s}", "hold", &hold, "found", &entry) < 0 ||
	    us_pair_spec_read(object, "queue_pairs", ret_spec, NULL) != 0)
		return -EBADMSG;
	*ret_start = (struct us_pair_start){ .hold = hold, .original_entry = entry };
	return 0;
}

static int load_pair(const struct us_state *state, struct us_host_vm *vm, const json_t *object)
{
	struct us_pair_start start;
	struct us_pair_spec spec;
	int r = read_pair(object, &spec, &start);

	if (r < 0)
		return r;
	if (us_pairs_find(us_vms_pairs(state->vms), spec.name))
		return -EBADMSG;
	return us_host_vm_add_pair(vm, &spec, &start);
}

/* ---- A VM ---- */

static int load_vm(const struct us_state *state, const json_t *object)
{
	const char *name, *path;
	json_t *pairs, *settings = NULL;
	struct us_host_vm *vm;
	int prepared, r;

	if (json_unpack((json_t *)object, "{s:s, s:s, s:b, s:o, s?o}", "name", &name, "qmp", &path,
			"prepared", &prepared, "pairs", &pairs, "settings_before", &settings) < 0 ||
	    !us_name_is_valid(name) || us_vms_find(state->vms, name))
		return -EBADMSG;
	r = us_host_vm_new(&vm, state->vms, name, path);
	if (r < 0)
		return r;
	us_host_vm_set_prepared(vm, prepared);
	r = state->handler->load_settings(state->userdata, vm, settings);
	for (size_t i = 0; r == 0 && i < json_array_size(pairs); i++)
		r = load_pair(state, vm, json_array_get(pairs, i));
	if (r < 0)
		us_host_vm_free(vm);
	return r;
}

/* ---- The file ---- */

static void set_aside(const struct us_state *state, const char *path, const char *reason)
{
	char aside[PATH_MAX];

	us_state_path(state, ".bad", aside);
	rename(path, aside);
	us_log(LOG_ERR,
	       "%s: %s: set aside as %s: add the VMs and pairs again that status does not show",
	       path, reason, aside);
}

/* Leaves out each VM that makes no sense. */
static int load_vms(struct us_state *state, const char *path, const json_t *vms)
{
	struct us_reason reason = { .text = "" };
	const json_t *vm;
	size_t i;

	json_array_foreach (vms, i, vm) {
		int r = load_vm(state, vm);

		if (r < 0 && r != -EBADMSG && r != -EINVAL)
			return r;
		if (r < 0)
			us_refuse(&reason, "its VM %zu makes no sense: %s", i + 1, us_strerror(r));
	}
	if (!reason.text[0])
		return 0;
	set_aside(state, path, reason.text);
	return us_state_save(state);
}

/*
 * A file that is written meanwhile would lack the VMs that are not loaded yet. The changes are
 * saved afterwards, which is before the switch is changed for any pair.
 */
static int load_and_save(struct us_state *state, const char *path, const json_t *vms)
{
	int r;

	state->is_loading = true;
	r = load_vms(state, path, vms);
	state->is_loading = false;
	if (r == 0 && state->must_save)
		us_state_save(state);
	state->must_save = false;
	return r;
}

/* Refused: no understudyd wrote this file. An errno: the file cannot be read now. */
static int read_file(const char *path, json_t **ret_object, struct us_reason *reason)
{
	US_CLEANUP(json_decrefp) json_t *object = NULL;
	json_error_t error;
	int version;

	errno = 0;
	object = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!object && json_error_code(&error) == json_error_cannot_open_file && errno)
		return -errno;
	if (!object && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!object)
		return us_refuse(reason, "%s", error.text);
	if (json_unpack(object, "{s:i}", "version", &version) < 0 || version != US_STATE_VERSION)
		return us_refuse(reason, "it is of another version");
	if (!json_is_array(json_object_get(object, "vms")))
		return us_refuse(reason, "it has no list of VMs");
	*ret_object = US_STEAL(object);
	return 0;
}

int us_state_load(struct us_state *state)
{
	US_CLEANUP(json_decrefp) json_t *object = NULL;
	struct us_reason reason;
	char path[PATH_MAX];
	int r;

	us_state_path(state, "", path);
	r = read_file(path, &object, &reason);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		us_log(LOG_ERR, "%s cannot be read: %s", path, us_strerror(r));
		return r;
	}
	if (r > 0) {
		set_aside(state, path, reason.text);
		return 0;
	}
	return load_and_save(state, path, json_object_get(object, "vms"));
}
