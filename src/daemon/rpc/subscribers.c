/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people see: one line of log per move, and the events that monitors get. A monitor that
 * reads too slowly misses events, is told so, and never holds up anyone.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "api/codec.h"
#include "daemon/daemon.h"
#include "util/clock.h"
#include "util/printable.h"

enum {
	MOVE_BYTES = 128,	    /* a pair's name, two states and the longest reason */
	BACKLOG_BYTES = 256 * 1024, /* unread by one monitor before it misses events */
};

struct monitor {
	struct us_list link;
	struct us_call *call;
	bool has_missed;
};

static void send_event(struct monitor *monitor, json_t *event)
{
	us_call_continue(monitor->call, json_pack("{s:O}", "event", event));
}

static void send_or_drop(struct us_daemon *daemon, struct monitor *monitor, json_t *event)
{
	if (us_call_backlog(monitor->call) > BACKLOG_BYTES) {
		monitor->has_missed = true;
		daemon->dropped_events++;
		return;
	}
	if (monitor->has_missed) {
		json_t *dropped = json_pack("{s:s, s:I, s:s}", "event", "dropped", "time_usec",
					    (json_int_t)us_clock_usec(CLOCK_REALTIME), "line",
					    "events were dropped: the reader is too slow");

		monitor->has_missed = false;
		send_event(monitor, dropped);
		json_decref(dropped);
	}
	send_event(monitor, event);
}

/* Takes @event and sends it, with its kind and time, to all who monitor. */
static void publish(struct us_daemon *daemon, const char *kind, const char *text, json_t *event)
{
	struct monitor *monitor;
	char line[1024]; /* as the log shows it */

	snprintf(line, sizeof(line), "%s", text);
	us_make_printable(line);
	json_object_set_new(event, "event", json_string(kind));
	json_object_set_new(event, "time_usec",
			    json_integer((json_int_t)us_clock_usec(CLOCK_REALTIME)));
	json_object_set_new(event, "line", us_wire_string(line));
	us_list_for_each (monitor, &daemon->monitors, link)
		send_or_drop(daemon, monitor, event);
	json_decref(event);
}

void us_publish_move(struct us_host_pair *pair, enum us_primary from, bool moved)
{
	struct us_daemon *daemon = pair->vm->daemon;
	char move[MOVE_BYTES], line[MOVE_BYTES + sizeof(struct us_reason) + 8];

	us_pair_move_line(move, sizeof(move), pair->spec.name, from, &pair->engine);
	snprintf(line, sizeof(line), "%s%s%s", move, pair->detail ? ": " : "",
		 us_optional_text(pair->detail));
	if (moved)
		us_log(pair->detail ? LOG_WARNING : LOG_INFO, "%s", line);
	if (us_list_is_empty(&daemon->monitors))
		return;
	publish(daemon, "move", line,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o*}", "vm", pair->vm->name, "pair",
			  pair->spec.name, "from", us_primary_name(from), "to",
			  us_pair_primary_name(&pair->engine), "path",
			  us_path_name(us_pair_path(&pair->engine)), "why",
			  us_cause_text(us_pair_cause(&pair->engine)), "detail",
			  pair->detail ? us_wire_string(pair->detail) : NULL));
}

void us_publish_vm(struct us_host_vm *vm, const char *name)
{
	char line[128];

	if (us_list_is_empty(&vm->daemon->monitors))
		return;
	snprintf(line, sizeof(line), "vm %s: %s", vm->name, name);
	publish(vm->daemon, "vm", line,
		json_pack("{s:s, s:o}", "vm", vm->name, "name", us_wire_string(name)));
}

void us_publish_stage(struct us_host_vm *vm, const char *stage, const char *line)
{
	/* The last word on a migration that was asked of us. */
	vm->counts.migrations_done += strcmp(stage, "done") == 0;
	vm->counts.migrations_failed += strcmp(stage, "failed") == 0;
	us_log(LOG_INFO, "%s", line);
	publish(vm->daemon, "stage", line, json_pack("{s:s, s:s}", "vm", vm->name, "name", stage));
}

static void on_gone(void *userdata, struct us_call *call)
{
	struct monitor *monitor = userdata;

	us_list_remove(&monitor->link);
	free(monitor);
}

void us_subscribe(struct us_daemon *daemon, struct us_call *call)
{
	struct monitor *monitor;

	if (!us_call_wants_more(call)) {
		us_call_fail(call, "Refused", "Monitor streams: call it with `more`");
		return;
	}
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor) {
		us_call_fail(call, "Failed", "out of memory");
		return;
	}
	monitor->call = call;
	us_call_on_gone(call, on_gone, monitor);
	us_list_append(&daemon->monitors, &monitor->link);
}
