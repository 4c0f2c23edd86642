/* SPDX-License-Identifier: BSD-3-Clause */
/* A pair: construction and destruction, and what its engine asks for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pair/pair-private.h"
#include "util/log.h"

/* ---- Effects ---- */

static void on_reset_done(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	us_host_pair_end_request(pair);
	if (r != 0 && r != -ECONNRESET)
		us_log(LOG_WARNING, "%s: system_reset failed: %s", pair->spec.name, reason->text);
}

static void reset_vm(struct us_host_pair *pair, const struct us_effect *effect)
{
	if (us_host_pair_requested(pair, us_vmm_reset(pair->vm->vmm, on_reset_done, pair)) < 0)
		us_log(LOG_WARNING, "%s: system_reset could not be asked for", pair->spec.name);
}

static void publish(struct us_host_pair *pair, const struct us_effect *effect)
{
	if (us_pair_primary(&pair->engine) == US_PRIMARY_VISIBLE && !pair->is_idle)
		us_optional_set(&pair->detail, "");
	pair->pairs->handler->moved(pair->pairs->userdata, pair, effect->from, effect->moved);
}

/* ---- After each step ---- */

static void on_deadline(void *userdata)
{
	us_host_pair_feed(userdata, (struct us_event){ .type = US_EVENT_TICK });
}

static void set_deadline(struct us_host_pair *pair)
{
	uint64_t deadline = us_pair_deadline(&pair->engine);

	if (deadline == US_NEVER)
		us_timer_stop(&pair->deadline_timer);
	else
		us_timer_set(&pair->deadline_timer, deadline);
}

/* The primary that was named while another one was being given back. */
static void assign_next(struct us_host_pair *pair)
{
	if (!pair->assign_next || us_pair_primary(&pair->engine) != US_PRIMARY_ABSENT)
		return;
	pair->assign_next = false;
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_ASSIGN });
	us_host_pair_observe(pair);
}

static void on_step_done(struct us_host_pair *pair)
{
	set_deadline(pair);
	us_idle_primary_follow(pair);
	us_host_pair_follow_unplug(pair);
	assign_next(pair);
	us_host_pair_follow_vf(pair);
}

static const struct us_step_handler step_handler = {
	.perform = {
		[US_EFFECT_RESERVE] = us_host_pair_reserve,
		[US_EFFECT_RELEASE] = us_host_pair_release,
		[US_EFFECT_STEER] = us_host_pair_steer_to,
		[US_EFFECT_PLUG] = us_host_pair_plug,
		[US_EFFECT_UNPLUG] = us_host_pair_unplug,
		[US_EFFECT_RESET_VM] = reset_vm,
		[US_EFFECT_WATCH] = us_host_pair_watch,
		[US_EFFECT_UNWATCH] = us_host_pair_unwatch,
		[US_EFFECT_PUBLISH] = publish,
	},
	.done = on_step_done,
};

void us_host_pair_assign(struct us_host_pair *pair, const struct us_primary_spec *spec)
{
	bool had_one = pair->spec.primary.text[0];

	pair->assign_next = spec;
	if (had_one)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_UNASSIGN });
	if (!spec)
		return;
	pair->spec.primary = *spec;
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_TICK });
}

void us_host_pair_set_declared(struct us_host_pair *pair)
{
	pair->spec.is_declared = true;
}

/* ---- Life ---- */

static void init_engine(struct us_host_pair *pair)
{
	struct us_pair_config config;

	us_pair_config_default(&config);
	config.mode = pair->spec.mode;
	us_pair_options_apply(&pair->spec.options, &config);
	us_pair_init(&pair->engine, &config);
}

static int init_parts(struct us_host_pair *pair)
{
	const struct us_pairs *pairs = pair->pairs;
	int r = us_timer_init(&pair->deadline_timer, pairs->config.loop, on_deadline, pair);

	if (r >= 0)
		r = us_timer_init(&pair->idle_timer, pairs->config.loop, us_idle_primary_check,
				  pair);
	if (r >= 0)
		r = pairs->handler->made(pairs->userdata, pair);
	return r < 0 ? r : us_vmm_track_guest(pair->vm->vmm, pair->spec.standby);
}

static void deinit_parts(struct us_host_pair *pair)
{
	us_timer_deinit(&pair->deadline_timer);
	us_timer_deinit(&pair->idle_timer);
	pair->pairs->handler->freed(pair->pairs->userdata, pair);
}

static void begin(struct us_host_pair *pair, bool hold)
{
	us_host_pair_adopt_vf(pair);
	us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_HOLD, .on = hold });
	if (pair->vm->is_prepared)
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_PREPARE });
	if (pair->spec.primary.text[0])
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_ASSIGN });
	us_host_pair_observe(pair);
}

/* libvirt requires "ua-" before the names of devices that are not its own, and allows no dot. */
static void name_device(struct us_host_pair *pair)
{
	bool is_domain = us_vmm_is_domain(pair->vm->vmm);

	snprintf(pair->device, sizeof(pair->device), "%sunderstudy-%s", is_domain ? "ua-" : "",
		 pair->spec.name);
	for (char *c = pair->device; is_domain && *c; c++)
		if (*c == '.')
			*c = '_';
}

int us_host_pair_new(struct us_host_pair **ret_pair, struct us_pairs *pairs, struct us_pair_vm *vm,
		     const struct us_pair_spec *spec, const struct us_pair_start *start)
{
	const char *entry = start->original_entry;
	struct us_host_pair *pair;
	int r;

	if (entry && strlen(entry) >= sizeof(pair->original_entry))
		return -EINVAL;
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return -ENOMEM;
	pair->pairs = pairs;
	pair->vm = vm;
	pair->spec = *spec;
	pair->step_handler = &step_handler;
	pair->is_inspected = start->is_inspected;
	pair->has_original_entry = entry;
	snprintf(pair->original_entry, sizeof(pair->original_entry), "%s", entry ? entry : "");
	name_device(pair);
	init_engine(pair);
	r = init_parts(pair);
	if (r < 0) {
		deinit_parts(pair);
		free(pair);
		return r;
	}
	us_list_append(&vm->pairs, &pair->link);
	us_list_append(&pairs->list, &pair->of_host);
	us_recheck_update_interest(pairs);
	*ret_pair = pair;
	begin(pair, start->hold);
	return 0;
}

void us_host_pair_detach(struct us_host_pair *pair)
{
	if (pair->steer && us_pair_path(&pair->engine) == US_PATH_STANDBY)
		us_steer_to(pair->steer, US_PATH_NONE, NULL);
}

/* A removed pair has put the switch back already; any other leaves it as it is. */
void us_host_pair_free(struct us_host_pair *pair)
{
	us_list_remove(&pair->link);
	us_list_remove(&pair->of_host);
	us_recheck_update_interest(pair->pairs);
	us_host_pair_release(pair, NULL);
	us_vmm_untrack_guest(pair->vm->vmm, pair->spec.standby);
	us_watch_free(pair->unplug_watch);
	us_host_pair_free_watch(pair); /* before the park buffer, which it observes */
	deinit_parts(pair);
	if (pair->steer)
		us_steer_abandon(pair->steer);
	free(pair->detail);
	free(pair);
}
