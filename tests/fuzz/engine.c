/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds the pair engine with any sequence of events. The invariants of the model are checked after
 * each step, and the liveness at the end. The first bytes configure the pair; each event takes two
 * bytes, which say what happens and when.
 */
#include <stdint.h>

#include "model/shadow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	CONFIG_BYTES = 4,
	EVENT_BYTES = 2,
	EVENTS_MAX = 512,
};

static struct us_pair_config configure(const uint8_t *data)
{
	struct us_pair_config config;

	us_pair_config_default(&config);
	config.mode = data[0] % US_MODE_N;
	config.can_park = data[0] & 0x80;
	config.hide_idle = data[0] & 0x80;
	/* The deadlines come in an unusual order. */
	config.plug_usec >>= data[1] & 7;
	config.ready_usec >>= data[1] >> 3 & 7;
	config.unplug_usec >>= data[2] & 7;
	config.retry_usec >>= data[2] >> 3 & 7;
	config.park_usec >>= data[3] & 7;
	config.park_unplug_usec >>= data[3] >> 6 & 3;
	config.steer_usec <<= data[3] >> 3 & 7;
	config.backoff_max_usec = config.backoff_usec << (data[0] >> 4 & 7);
	return config;
}

/* Now; or at the next deadline, or just before or after it. */
static uint64_t when(uint64_t now, const struct us_pair *pair, unsigned choice)
{
	uint64_t deadline = us_pair_deadline(pair);

	if (choice == 0 || deadline == US_NEVER || deadline <= now)
		return now;
	return deadline - 2 + choice;
}

static struct us_event event_of(const uint8_t *data)
{
	struct us_event event = {
		.type = data[0] % US_EVENT_N,
		.on = data[1] & 1,
		.vm = (data[1] >> 1 & 7) % US_VM_N,
		.guest = (data[1] >> 1 & 7) % US_GUEST_N,
		.path = (data[1] >> 1 & 7) % US_PATH_N,
		.age_usec = data[1] & 2 ? US_NEVER / 2 : 0,
	};

	/* There is no DRIVER_OK without a driver. */
	if (event.type == US_EVENT_GUEST && event.guest == US_GUEST_NONE)
		event.on = false;
	return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct us_pair_config config;
	struct us_effects effects;
	struct state state, next;
	uint64_t now = 0;

	if (size < CONFIG_BYTES || size > CONFIG_BYTES + EVENT_BYTES * EVENTS_MAX)
		return 0;
	config = configure(data);
	shadow_init(&state, &config);
	for (size_t i = CONFIG_BYTES; i + EVENT_BYTES <= size; i += EVENT_BYTES) {
		struct us_event event = event_of(data + i);
		const char *rule;

		now = when(now, &state.pair, data[i + 1] >> 5 & 3);
		event.now_usec = now;
		rule = shadow_step(&state, &event, &next, &effects);
		if (rule)
			shadow_violated(rule, &state, &event, &next, &effects);
		state = next;
	}
	shadow_check_liveness(&state, now);
	return 0;
}
