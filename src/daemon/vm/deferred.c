/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "daemon/vm/deferred.h"

struct us_deferreds {
	struct us_list list; /* struct us_deferred */
	sd_event_source *recheck;
};

/* A check may end other waits or pairs, so the search begins anew after each that is over. */
static int on_recheck(sd_event_source *source, void *userdata)
{
	struct us_deferreds *deferreds = userdata;
	struct us_deferred *deferred;
	bool again = true;

	while (again) {
		again = false;
		us_list_for_each (deferred, &deferreds->list, link) {
			if (deferred->check(deferred)) {
				again = true;
				break;
			}
		}
	}
	return 0;
}

int us_deferreds_new(struct us_deferreds **ret_deferreds, sd_event *loop)
{
	struct us_deferreds *deferreds = calloc(1, sizeof(*deferreds));
	int r = deferreds ? 0 : -ENOMEM;

	if (r == 0)
		r = sd_event_add_defer(loop, &deferreds->recheck, on_recheck, deferreds);
	if (r >= 0)
		r = sd_event_source_set_enabled(deferreds->recheck, SD_EVENT_OFF);
	if (r < 0) {
		us_deferreds_free(deferreds);
		return r;
	}
	us_list_init(&deferreds->list);
	*ret_deferreds = deferreds;
	return 0;
}

void us_deferreds_free(struct us_deferreds *deferreds)
{
	if (!deferreds)
		return;
	sd_event_source_disable_unref(deferreds->recheck);
	free(deferreds);
}

void us_deferred_add(struct us_deferreds *deferreds, struct us_host_vm *vm,
		     struct us_deferred *deferred)
{
	deferred->vm = vm;
	us_list_append(&deferreds->list, &deferred->link);
	us_deferreds_recheck_soon(deferreds);
}

void us_deferreds_recheck_soon(struct us_deferreds *deferreds)
{
	if (!us_list_is_empty(&deferreds->list))
		sd_event_source_set_enabled(deferreds->recheck, SD_EVENT_ONESHOT);
}

void us_deferreds_forget_vm(struct us_deferreds *deferreds, const struct us_host_vm *vm)
{
	struct us_deferred *deferred;

	us_list_for_each (deferred, &deferreds->list, link)
		if (deferred->vm == vm)
			deferred->vm_gone(deferred);
}
