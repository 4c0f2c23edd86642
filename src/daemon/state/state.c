/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the state file. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "daemon/state/state-private.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"

enum {
	SAVE_DELAY_USEC = 20 * 1000,
	RETRY_USEC = 1000 * 1000,
};

void us_state_path(const struct us_state *state, const char *suffix, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/state.json%s", state->directory, suffix);
}

/* ---- The text ---- */

static json_t *pair_json(const struct us_host_pair *pair)
{
	const struct us_pair_spec *spec = us_host_pair_spec(pair);
	const struct us_pair *engine = us_host_pair_engine(pair);
	const char *primary = us_host_pair_wants_primary(pair) ? spec->primary.text : "";
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:b, s:s*}", "name",
		spec->name, "standby", spec->standby, "port", spec->port, "bus", spec->bus, "group",
		spec->group, "mac", us_mac_text(spec->mac).text, "mode",
		us_mode_name(engine->config.mode), "primary", primary, "hold", engine->facts.hold,
		"mtu", spec->mtu, "queue_pairs", spec->queue_pairs, "declared", spec->is_declared,
		"found", us_host_pair_original_entry(pair));

	us_pair_options_write(&spec->options, object);
	return object;
}

/* NULL without memory: a state with a gap would be taken for the whole. */
static json_t *vm_json(const struct us_state *state, const struct us_host_vm *vm)
{
	US_CLEANUP(json_decrefp) json_t *pairs = json_array();
	const struct us_host_pair *pair;

	us_host_vm_for_each_pair (pair, vm)
		if (!us_host_pair_engine(pair)->facts.removing &&
		    json_array_append_new(pairs, pair_json(pair)) < 0)
			return NULL;
	return json_pack("{s:s, s:o, s:b, s:O, s:O*}", "name", us_host_vm_name(vm), "qmp",
			 us_wire_string(us_host_vm_monitor(vm)), "prepared",
			 us_host_vm_facts(vm)->is_prepared, "pairs", pairs, "settings_before",
			 state->handler->settings(state->userdata, vm));
}

char *us_state_vm_text(const struct us_state *state, struct us_host_vm *vm)
{
	US_CLEANUP(json_decrefp) json_t *object = vm_json(state, vm);

	return object ? json_dumps(object, JSON_INDENT(1)) : NULL;
}

/* The text, kept in the VM's slot; NULL: no memory. */
static const char *keep_text(const struct us_state *state, struct us_host_vm *vm)
{
	struct us_vm_slots *slots = us_host_vm_slots(vm);

	if (!slots->saved_text)
		slots->saved_text = us_state_vm_text(state, vm);
	return slots->saved_text;
}

void us_state_forget_text(struct us_host_vm *vm)
{
	free(US_STEAL(us_host_vm_slots(vm)->saved_text));
}

/* ---- Saving ---- */

static struct iovec part(const char *text)
{
	return (struct iovec){ .iov_base = (char *)text, .iov_len = strlen(text) };
}

static size_t count_vms(const struct us_state *state)
{
	const struct us_host_vm *vm;
	size_t count = 0;

	us_vms_for_each (vm, state->vms)
		count++;
	return count;
}

static int write_file(const struct us_state *state, const char *path)
{
	struct us_host_vm *vm;
	size_t count = 0;
	US_CLEANUP(us_freep)
	struct iovec *parts = calloc(2 * count_vms(state) + 2, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	parts[count++] = part("{\"version\": 1, \"vms\": [");
	us_vms_for_each (vm, state->vms) {
		const char *text;

		if (state->handler->is_attaching(state->userdata, vm))
			continue;
		text = keep_text(state, vm);
		if (!text)
			return -ENOMEM;
		parts[count] = part(count > 1 ? ",\n" : "\n");
		parts[count + 1] = part(text);
		count += 2;
	}
	parts[count++] = part("\n]}\n");
	return us_file_replace(path, parts, count);
}

int us_state_save(struct us_state *state)
{
	char path[PATH_MAX];
	int r;

	if (state->is_loading) {
		state->must_save = true;
		return 0;
	}
	us_state_path(state, "", path);
	r = write_file(state, path);
	if (r == 0)
		us_timer_stop(&state->saving);
	else
		us_timer_set(&state->saving, us_now_usec() + RETRY_USEC);
	if (r < 0 && !state->is_unsaved)
		us_log(LOG_ERR,
		       "%s cannot be written: %s: make room, or a restart forgets the changes from "
		       "now on",
		       path, us_strerror(r));
	else if (r == 0 && state->is_unsaved)
		us_log(LOG_INFO, "%s is written again", path);
	state->is_unsaved = r < 0;
	return r;
}

int us_state_save_vm(struct us_state *state, struct us_host_vm *vm)
{
	us_state_forget_text(vm);
	return us_state_save(state);
}

void us_state_save_soon(struct us_state *state, struct us_host_vm *vm)
{
	us_state_forget_text(vm);
	us_timer_set(&state->saving, us_now_usec() + SAVE_DELAY_USEC);
}

const char *us_state_unsaved(const struct us_state *state)
{
	return state->is_unsaved ? state->directory : NULL;
}

/* ---- Life ---- */

static void on_saving(void *userdata)
{
	us_state_save(userdata);
	/* To make the text of all VMs took several KiB for each. */
	malloc_trim(0);
}

int us_state_new(struct us_state **ret_state, struct us_vms *vms, sd_event *loop,
		 const char *directory, const struct us_state_handler *handler, void *userdata)
{
	struct us_state *state = calloc(1, sizeof(*state));
	int r = state ? us_timer_init(&state->saving, loop, on_saving, state) : -ENOMEM;

	if (r < 0) {
		free(state);
		return r;
	}
	state->vms = vms;
	state->directory = directory;
	state->handler = handler;
	state->userdata = userdata;
	*ret_state = state;
	return 0;
}

void us_state_free(struct us_state *state)
{
	if (!state)
		return;
	us_timer_deinit(&state->saving);
	free(state);
}
