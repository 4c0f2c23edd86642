/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a VMM embeds the pair engine: a toy VMM with a virtual clock and a scripted guest.
 *
 *     cc embed.c $(pkg-config --cflags --libs libunderstudy) && ./a.out
 *
 * A real VMM differs in three places: events come from its devices, perform() touches the host,
 * and the clock is the monotonic one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <understudy/pair.h>

#define MSEC UINT64_C(1000)
#define SEC (1000 * MSEC)

enum {
	QUEUE_MAX = 32,
};

static struct us_event queue[QUEUE_MAX]; /* future events; now_usec is their time */
static size_t queued;
static struct us_pair pair;

static void happen_at(uint64_t usec, struct us_event event)
{
	if (queued == QUEUE_MAX)
		return;
	event.now_usec = usec;
	queue[queued++] = event;
}

/* The next event; a tick if the engine's deadline is earlier. False: no event is left. */
static bool next_event(struct us_event *ret_event)
{
	uint64_t deadline = us_pair_deadline(&pair);
	size_t first = 0;

	for (size_t i = 1; i < queued; i++)
		if (queue[i].now_usec < queue[first].now_usec)
			first = i;
	if (queued == 0)
		return false;
	if (deadline < queue[first].now_usec) {
		*ret_event = (struct us_event){ .type = US_EVENT_TICK, .now_usec = deadline };
		return true;
	}
	*ret_event = queue[first];
	for (queued--; first < queued; first++)
		queue[first] = queue[first + 1];
	return true;
}

/* The VMM and its host. Each effect succeeds after a while. */
static void perform(const struct us_effect *effect, uint64_t now)
{
	bool steer = effect->type == US_EFFECT_STEER;
	char line[200];

	if (effect->type != US_EFFECT_PUBLISH)
		printf("%9.3f s    %s%s%s\n", now / 1e6, us_effect_name(effect->type),
		       steer ? " " : "", steer ? us_path_name(effect->path) : "");

	switch (effect->type) {
	case US_EFFECT_RESERVE: /* open the device, set its MAC address */
		happen_at(now + 50 * MSEC,
			  (struct us_event){ .type = US_EVENT_RESERVED, .on = true });
		break;
	case US_EFFECT_PLUG: /* hot-plug it */
		happen_at(now + 5 * MSEC,
			  (struct us_event){ .type = US_EVENT_PLUGGED, .on = true });
		break;
	case US_EFFECT_WATCH: /* until frames of the guest's MAC come from the primary */
		happen_at(now + 400 * MSEC,
			  (struct us_event){ .type = US_EVENT_TRAFFIC, .on = true });
		break;
	case US_EFFECT_UNPLUG: /* ask the guest to release it */
		happen_at(now + 80 * MSEC, (struct us_event){ .type = US_EVENT_UNPLUGGED });
		break;
	case US_EFFECT_STEER: /* change the switch's table */
		happen_at(now + MSEC, (struct us_event){ .type = US_EVENT_STEERED,
							 .path = effect->path,
							 .on = true });
		break;
	case US_EFFECT_PUBLISH:
		if (effect->moved)
			printf("%9.3f s %s\n", now / 1e6,
			       us_pair_move_line(line, sizeof(line), "nic0", effect->from, &pair));
		break;
	default: /* RELEASE, UNWATCH, RESET_VM: the toy does nothing */
		break;
	}
}

/* Linux boots, its primary is hidden for a migration and back, it reboots, the VM ends. */
static const struct us_event script[] = {
	{ .now_usec = 0, .type = US_EVENT_VM, .vm = US_VM_RUNNING },
	{ .now_usec = 1, .type = US_EVENT_ASSIGN },
	{ .now_usec = 2, .type = US_EVENT_OBSERVED, .on = false },
	{ .now_usec = 4 * SEC, .type = US_EVENT_GUEST, .guest = US_GUEST_CAPABLE },
	{ .now_usec = 5 * SEC, .type = US_EVENT_GUEST, .guest = US_GUEST_CAPABLE, .on = true },
	{ .now_usec = 10 * SEC, .type = US_EVENT_PREPARE },
	{ .now_usec = 12 * SEC, .type = US_EVENT_FINISH },
	{ .now_usec = 20 * SEC, .type = US_EVENT_RESET },
	{ .now_usec = 25 * SEC, .type = US_EVENT_GUEST, .guest = US_GUEST_CAPABLE, .on = true },
	{ .now_usec = 30 * SEC, .type = US_EVENT_VM, .vm = US_VM_GONE },
};

int main(void)
{
	struct us_pair_config config;
	struct us_effects effects;
	struct us_event event;

	us_pair_config_default(&config);
	us_pair_init(&pair, &config);
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		happen_at(script[i].now_usec, script[i]);

	while (next_event(&event)) {
		us_pair_step(&pair, &event, &effects);
		for (size_t i = 0; i < effects.count; i++)
			perform(&effects.list[i], event.now_usec);
	}
	printf("the end: %s, path %s\n", us_pair_primary_name(&pair),
	       us_path_name(us_pair_path(&pair)));
	return 0;
}
