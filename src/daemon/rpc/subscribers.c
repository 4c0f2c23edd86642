/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The events: one line of log for each move, and the same for the subscribers (Monitor). A
 * subscriber that reads too slowly misses events, learns of it, and delays nobody.
 */
#include <stdio.h>
#include <string.h>

#include "api/codec.h"
#include "daemon/rpc/rpc-private.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/printable.h"

enum {
	MOVE_BYTES = 128,	    /* a pair's name, two states and the longest cause */
	BACKLOG_BYTES = 256 * 1024, /* not read by a subscriber, before it misses events */
};

struct subscriber {
	struct us_list link;
	struct us_call *call;
	bool has_missed;
};

/* What every event has. */
static json_t *event_new(const char *kind, const char *line)
{
	return json_pack("{s:s, s:I, s:o}", "event", kind, "time_usec",
			 (json_int_t)us_clock_usec(CLOCK_REALTIME), "line", us_wire_string(line));
}

static void send_event(struct subscriber *subscriber, json_t *event)
{
	us_call_continue(subscriber->call, json_pack("{s:O}", "event", event));
}

static void send_or_drop(struct us_rpc *rpc, struct subscriber *subscriber, json_t *event)
{
	if (us_call_backlog(subscriber->call) > BACKLOG_BYTES) {
		subscriber->has_missed = true;
		rpc->dropped_events++;
		return;
	}
	if (subscriber->has_missed) {
		json_t *dropped =
			event_new("dropped", "events were dropped: the reader is too slow");

		subscriber->has_missed = false;
		send_event(subscriber, dropped);
		json_decref(dropped);
	}
	send_event(subscriber, event);
}

/* Sends @event (stolen), with its kind and time, to all subscribers. */
static void publish(struct us_rpc *rpc, const char *kind, const char *text, json_t *event)
{
	struct subscriber *subscriber;
	char line[1024]; /* as the log shows it */

	snprintf(line, sizeof(line), "%s", text);
	us_make_printable(line);
	json_object_update_new(event, event_new(kind, line));
	us_list_for_each (subscriber, &rpc->subscribers, link)
		send_or_drop(rpc, subscriber, event);
	json_decref(event);
}

void us_rpc_publish_move(struct us_rpc *rpc, const struct us_host_pair *pair, enum us_primary from,
			 bool moved)
{
	const struct us_pair *engine = us_host_pair_engine(pair);
	const char *name = us_host_pair_name(pair), *detail = us_host_pair_detail(pair);
	enum us_cause cause = us_pair_cause(engine);
	char move[MOVE_BYTES], line[MOVE_BYTES + sizeof(struct us_reason) + 8];

	us_pair_move_line(move, sizeof(move), name, from, engine);
	snprintf(line, sizeof(line), "%s%s%s", move, detail[0] ? ": " : "", detail);
	if (moved)
		us_log(detail[0] ? LOG_WARNING : LOG_INFO, "%s", line);
	if (us_list_is_empty(&rpc->subscribers))
		return;
	publish(rpc, "move", line,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o*}", "vm",
			  us_host_vm_name(us_host_vm_of(pair)), "pair", name, "from",
			  us_primary_name(from), "to", us_pair_primary_name(engine), "path",
			  us_path_name(us_pair_path(engine)), "why", us_cause_text(cause),
			  "reason_code", us_cause_code(cause), "detail",
			  detail[0] ? us_wire_string(detail) : NULL));
}

void us_rpc_publish_vm(struct us_rpc *rpc, const struct us_host_vm *vm, const char *name)
{
	char line[128];

	if (us_list_is_empty(&rpc->subscribers))
		return;
	snprintf(line, sizeof(line), "vm %s: %s", us_host_vm_name(vm), name);
	publish(rpc, "vm", line,
		json_pack("{s:s, s:o}", "vm", us_host_vm_name(vm), "name", us_wire_string(name)));
}

void us_rpc_publish_stage(struct us_rpc *rpc, struct us_host_vm *vm, const char *stage,
			  const char *line)
{
	/* The last stage of a migration that this daemon was asked for. */
	if (strcmp(stage, "done") == 0 || strcmp(stage, "failed") == 0)
		us_host_vm_count_migration(vm, strcmp(stage, "done") == 0);
	us_log(LOG_INFO, "%s", line);
	publish(rpc, "stage", line,
		json_pack("{s:s, s:s}", "vm", us_host_vm_name(vm), "name", stage));
}

static void on_gone(void *userdata, struct us_call *call)
{
	struct subscriber *subscriber = userdata;

	us_list_remove(&subscriber->link);
	free(subscriber);
}

void us_rpc_subscribe(struct us_rpc *rpc, struct us_call *call)
{
	struct subscriber *subscriber = calloc(1, sizeof(*subscriber));

	if (!subscriber) {
		us_call_fail(call, "Failed", "out of memory");
		return;
	}
	subscriber->call = call;
	us_call_on_gone(call, on_gone, subscriber);
	us_list_append(&rpc->subscribers, &subscriber->link);
}
