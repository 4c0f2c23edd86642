/* SPDX-License-Identifier: BSD-3-Clause */
/* See client-turn.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/client-turn.h"
#include "util/priority.h"

enum {
	TURNS_MAX = 100,
};

static int on_client(sd_event_source *source, void *userdata)
{
	*(bool *)userdata = true;
	return 0;
}

bool client_turn_comes(sd_event *loop)
{
	sd_event_source *client = NULL;
	bool is_served = false;

	assert_true(sd_event_add_defer(loop, &client, on_client, &is_served) >= 0);
	assert_true(sd_event_source_set_priority(client, US_PRIORITY_CHANGING) >= 0);
	for (int i = 0; i < TURNS_MAX && !is_served; i++)
		assert_true(sd_event_run(loop, UINT64_MAX) > 0);
	sd_event_source_disable_unref(client);
	return is_served;
}
