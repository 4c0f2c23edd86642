/* SPDX-License-Identifier: BSD-3-Clause */
/* All pairs of this host: construction and destruction, and what their VFs ask. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pair/pair-private.h"

static bool is_wanted(void *userdata, const struct us_reserved *reserved)
{
	const struct us_host_pair *pair = us_pairs_find(userdata, reserved->pair);

	return pair && us_host_pair_has_primary(pair) &&
	       strcmp(pair->spec.primary.host, reserved->address) == 0;
}

/* The status of the pair that had the device shows why, unless it has another one now. */
static void on_not_returned(void *userdata, const char *name, const char *reason)
{
	struct us_host_pair *pair = us_pairs_find(userdata, name);

	if (pair && !pair->vf)
		us_optional_set(&pair->detail, reason);
}

static void on_ports_changed(void *userdata)
{
	us_recheck_update_interest(userdata);
}

int us_pairs_new(struct us_pairs **ret_pairs, const struct us_pairs_config *config,
		 const struct us_pairs_handler *handler, void *userdata)
{
	static const struct us_vfs_handler vfs_handler = {
		.is_wanted = is_wanted,
		.not_returned = on_not_returned,
		.ports_changed = on_ports_changed,
	};
	struct us_pairs *pairs = calloc(1, sizeof(*pairs));
	int r;

	if (!pairs)
		return -ENOMEM;
	pairs->config = *config;
	pairs->handler = handler;
	pairs->userdata = userdata;
	pairs->park_budget.limit = config->park_bytes ? config->park_bytes : US_PARK_HOST_BYTES;
	us_list_init(&pairs->list);
	r = us_recheck_init(pairs);
	if (r < 0) {
		us_pairs_free(pairs);
		return r;
	}
	us_vfs_set_handler(config->vfs, &vfs_handler, pairs);
	*ret_pairs = pairs;
	return 0;
}

void us_pairs_stop(struct us_pairs *pairs)
{
	pairs->is_stopping = true;
}

void us_pairs_free(struct us_pairs *pairs)
{
	if (!pairs)
		return;
	us_recheck_deinit(pairs);
	free(pairs);
}
