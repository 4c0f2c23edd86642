/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The metrics as text, in pieces. OpenMetrics requires all samples of a family together, so a
 * reader goes through a table of families, and in each family through the VMs or pairs.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/metrics/metrics-private.h"

enum {
	ROW_BYTES = 4096, /* more than a family has for one VM or pair, with its header */
};

/* ---- Text ---- */

struct text {
	char *bytes;
	size_t size, length;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->length;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text->bytes + text->length, room, format, arguments);
	va_end(arguments);
	assert(n >= 0 && (size_t)n < room);
	text->length += n;
}

/* A label with a value of others, which is escaped. */
static void put_label(struct text *text, const char *before, const char *name, const char *value)
{
	put(text, "%s%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '\n')
			put(text, "\\n");
		else
			put(text, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
	}
	put(text, "\"");
}

/* ---- Families ---- */

enum scope {
	OF_DAEMON,
	OF_VM,
	OF_PAIR,
};

enum type { GAUGE, COUNTER, INFO, STATESET, SUMMARY, HISTOGRAM, TYPE_N };

static const char *const type_names[] = {
	[GAUGE] = "gauge",	 [COUNTER] = "counter", [INFO] = "info",
	[STATESET] = "stateset", [SUMMARY] = "summary", [HISTOGRAM] = "histogram",
};
_Static_assert(US_ARRAY_LENGTH(type_names) == TYPE_N, "a name for each");

struct family {
	const char *name, *unit; /* "": none; otherwise the suffix of the name */
	enum type type;
	enum scope scope;
	const char *help;
	/* A number of the row, of 4 or 8 bytes (microseconds if the unit is "seconds"); of a state
	 * set, its word. */
	size_t offset, size;
	const char *(*word)(unsigned i); /* of a state set; NULL after the last */
	/* For all other families; @who is the label of the row. */
	void (*print)(struct text *text, const char *name, const char *who, const void *row);
};

static const char *primary_word(unsigned i)
{
	if (i < US_PRIMARY_N)
		return us_primary_name(i);
	return i == US_PRIMARY_N ? "reserved" : NULL;
}

static const char *path_word(unsigned i)
{
	return i < US_PATH_N ? us_path_name(i) : NULL;
}

static const char *guest_word(unsigned i)
{
	if (i < US_GUEST_N)
		return us_guest_name(i);
	return i == US_GUEST_N ? "unknown" : NULL;
}

static const char *vm_word(unsigned i)
{
	return i < US_VM_N ? us_vm_state_name(i) : NULL;
}

static void print_build(struct text *text, const char *name, const char *who, const void *row)
{
	put(text, "%s_info{version=\"" US_VERSION "\"} 1\n", name);
}

static void print_pair(struct text *text, const char *name, const char *who, const void *row)
{
	const struct pair_row *pair = row;

	put(text, "%s_info{%s,vm=\"%s\",mode=\"%s\"", name, who, pair->vm, pair->mode);
	put_label(text, ",", "standby", pair->standby);
	put_label(text, ",", "port", pair->port);
	put(text, "} 1\n");
}

static void print_results(struct text *text, const char *name, const char *who, const void *row)
{
	const struct pair_row *pair = row;

	for (int transition = 0; transition < US_TRANSITION_N; transition++) {
		bool is_hide = transition == US_TRANSITION_HIDE;

		for (int i = 0; i < (is_hide ? US_RESULT_PLUG_REFUSED : US_RESULT_N); i++)
			put(text, "%s_total{%s,kind=\"%s\",result=\"%s\"} %u\n", name, who,
			    us_transition_name(transition), us_transition_result_name(i),
			    pair->counts.results[transition][i]);
	}
}

static void print_took(struct text *text, const char *name, const char *who, const void *row)
{
	const struct us_transition_counts *counts = &((const struct pair_row *)row)->counts;

	for (int i = 0; i < US_TRANSITION_N; i++)
		put(text, "%s_count{%s,kind=\"%s\"} %u\n%s_sum{%s,kind=\"%s\"} %.6f\n", name, who,
		    us_transition_name(i), counts->results[i][US_RESULT_DONE], name, who,
		    us_transition_name(i), counts->done_usec[i] / 1e6);
}

static void print_durations(struct text *text, const char *name, const char *who, const void *row)
{
	const struct daemon_row *daemon = row;

	for (int i = 0; i < US_TRANSITION_N; i++) {
		const struct us_transition_durations *durations = &daemon->durations[i];
		const char *kind = us_transition_name(i);
		uint64_t count = 0;

		for (int j = 0; j < US_TRANSITION_BUCKETS - 1; j++)
			put(text, "%s_bucket{kind=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, kind,
			    us_transition_bucket_usec[j] / 1e6, count += durations->buckets[j]);
		count += durations->buckets[US_TRANSITION_BUCKETS - 1];
		put(text, "%s_bucket{kind=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, kind, count);
		put(text, "%s_count{kind=\"%s\"} %" PRIu64 "\n", name, kind, count);
		put(text, "%s_sum{kind=\"%s\"} %.6f\n", name, kind, durations->usec / 1e6);
	}
}

static void print_transfers(struct text *text, const char *name, const char *who, const void *row)
{
	const struct us_vm_counts *counts = &((const struct vm_row *)row)->counts;

	put(text, "%s_total{%s,result=\"completed\"} %u\n", name, who, counts->transfers_completed);
	put(text, "%s_total{%s,result=\"failed\"} %u\n", name, who, counts->transfers_failed);
	put(text, "%s_total{%s,result=\"cancelled\"} %u\n", name, who, counts->transfers_cancelled);
}

static void print_migrations(struct text *text, const char *name, const char *who, const void *row)
{
	const struct us_vm_counts *counts = &((const struct vm_row *)row)->counts;

	put(text, "%s_total{%s,result=\"done\"} %u\n", name, who, counts->migrations_done);
	put(text, "%s_total{%s,result=\"failed\"} %u\n", name, who, counts->migrations_failed);
}

#define FIELD(row, member)                                                                         \
	.offset = offsetof(struct row, member), .size = sizeof(((struct row *)0)->member)
#define DAEMON(type, name, unit, member, help)                                                     \
	{                                                                                          \
		name, unit, type, OF_DAEMON, help, FIELD(daemon_row, member)                       \
	}
#define VM(type, name, member, help)                                                               \
	{                                                                                          \
		"understudy_vm_" name, "", type, OF_VM, help, FIELD(vm_row, member)                \
	}
#define PAIR(type, name, unit, member, help)                                                       \
	{                                                                                          \
		"understudy_pair_" name, unit, type, OF_PAIR, help, FIELD(pair_row, member)        \
	}

static const struct family families[] = {
	{ "understudy_build", "", INFO, OF_DAEMON, "The running understudyd.",
	  .print = print_build },
	DAEMON(GAUGE, "process_start_time_seconds", "seconds", other.started_usec,
	       "When understudyd was started, since the epoch."),
	DAEMON(COUNTER, "process_cpu_seconds", "seconds", cpu_usec,
	       "Processor time that understudyd has used."),
	DAEMON(GAUGE, "process_resident_memory_bytes", "bytes", resident_bytes,
	       "Memory of understudyd."),
	DAEMON(GAUGE, "understudy_vms", "", vms, "Attached VMs."),
	DAEMON(GAUGE, "understudy_pairs", "", pairs, "Pairs."),
	DAEMON(GAUGE, "understudy_clients", "", other.server.connected,
	       "Clients connected to the control socket."),
	DAEMON(COUNTER, "understudy_clients_accepted", "", other.server.accepted,
	       "Clients that connected."),
	DAEMON(COUNTER, "understudy_clients_refused", "", other.server.refused,
	       "Clients that were refused because of a limit."),
	DAEMON(COUNTER, "understudy_clients_dropped", "", other.server.dropped,
	       "Clients whose connection was ended because of what they sent or did not read."),
	DAEMON(COUNTER, "understudy_calls", "", other.server.calls,
	       "Calls of clients, including refused ones."),
	DAEMON(GAUGE, "understudy_park_limit_bytes", "bytes", other.parked.limit,
	       "Memory limit of the parked frames of all pairs."),
	DAEMON(GAUGE, "understudy_park_used_bytes", "bytes", other.parked.used,
	       "Memory of the parked frames of all pairs."),
	DAEMON(COUNTER, "understudy_park_overflowed_frames", "frames", other.parked.overflowed,
	       "Frames that were lost because of this limit. The pairs count them as well."),
	DAEMON(COUNTER, "understudy_events_dropped", "", other.dropped_events,
	       "Events that a client missed because it read too slowly."),
	{ "understudy_transition_duration_seconds", "seconds", HISTOGRAM, OF_DAEMON,
	  "Time to expose (from the plug to a visible primary) and to hide (from the unplug to its "
	  "acknowledgement), of all pairs.",
	  .print = print_durations },

	VM(GAUGE, "connected", is_connected, "Whether the VM's monitor answers."),
	{ "understudy_vm_state", "", STATESET, OF_VM, "The state of the VM.", FIELD(vm_row, state),
	  .word = vm_word },
	VM(GAUGE, "prepared", is_prepared, "Whether its primaries are hidden for a migration."),
	VM(COUNTER, "disconnects", counts.disconnects,
	   "How often the monitor connection was lost."),
	VM(COUNTER, "resets", counts.resets, "Resets of the machine."),
	{ "understudy_vm_transfers", "", COUNTER, OF_VM,
	  "Ended migrations of this VM to another host, as QEMU reports, whoever ran them.",
	  .print = print_transfers },
	{ "understudy_vm_migrations", "", COUNTER, OF_VM,
	  "Ended migrations that this understudyd was asked for.", .print = print_migrations },
	VM(COUNTER, "arrivals", counts.arrivals, "How often the guest arrived from another host."),

	{ "understudy_pair", "", INFO, OF_PAIR, "The pair's VM, mode, standby and port.",
	  .print = print_pair },
	{ "understudy_pair_primary", "", STATESET, OF_PAIR, "The state of the primary.",
	  FIELD(pair_row, primary), .word = primary_word },
	{ "understudy_pair_path", "", STATESET, OF_PAIR,
	  "Where the switch sends frames for the pair.", FIELD(pair_row, path), .word = path_word },
	{ "understudy_pair_guest", "", STATESET, OF_PAIR,
	  "What the guest's driver of the standby negotiated.", FIELD(pair_row, guest),
	  .word = guest_word },
	PAIR(GAUGE, "driver_ok", "", driver_ok, "Whether that driver has reached DRIVER_OK."),
	PAIR(GAUGE, "hold", "", hold, "Whether the pair has a hold: the primary stays hidden."),
	PAIR(GAUGE, "unplug_overdue", "", is_overdue,
	     "Whether the guest has not released the primary in time, and still has it."),
	{ "understudy_pair_transitions", "", COUNTER, OF_PAIR, "Ended transitions.",
	  .print = print_results },
	{ "understudy_pair_transition_duration_seconds", "seconds", SUMMARY, OF_PAIR,
	  "Duration of the transitions with the result done.", .print = print_took },
	PAIR(COUNTER, "unplug_timeouts", "", counts.unplug_timeouts,
	     "Unplugs that the guest did not acknowledge in time."),
	PAIR(COUNTER, "backoffs", "", counts.backoffs, "How often the next expose was delayed."),
	PAIR(GAUGE, "backoff_seconds", "seconds", backoff_usec,
	     "Time until the primary may be plugged again."),
	PAIR(GAUGE, "held_frames", "frames", parked.frames, "Frames that are parked now."),
	PAIR(COUNTER, "parked_frames", "frames", parked.parked, "Frames that were parked."),
	PAIR(COUNTER, "parked_bytes", "bytes", parked.parked_bytes,
	     "Bytes of the frames that were parked."),
	PAIR(COUNTER, "released_frames", "frames", parked.released,
	     "Parked frames that were delivered or handed off."),
	PAIR(COUNTER, "overflowed_frames", "frames", parked.overflowed,
	     "Frames that were lost because of the pair's limits."),
	PAIR(COUNTER, "undelivered_frames", "frames", parked.undelivered,
	     "Parked frames that were lost because the port did not take them."),
};

/* ---- Output ---- */

static void put_header(struct text *text, const struct family *family)
{
	put(text, "# TYPE %s %s\n", family->name, type_names[family->type]);
	if (family->unit[0])
		put(text, "# UNIT %s %s\n", family->name, family->unit);
	put(text, "# HELP %s %s\n", family->name, family->help);
}

static void put_states(struct text *text, const struct family *family, const char *who,
		       const void *row)
{
	const char *present, *word;

	memcpy(&present, (const char *)row + family->offset, sizeof(present));
	for (unsigned i = 0; (word = family->word(i)); i++)
		put(text, "%s{%s,%s=\"%s\"} %d\n", family->name, who, family->name, word,
		    strcmp(word, present) == 0);
}

static void put_number(struct text *text, const struct family *family, const char *who,
		       const void *row)
{
	const char *field = (const char *)row + family->offset;
	uint64_t value = family->size == sizeof(uint32_t) ? *(const uint32_t *)field
							  : *(const uint64_t *)field;

	put(text, "%s%s", family->name, family->type == COUNTER ? "_total" : "");
	if (who[0])
		put(text, "{%s}", who);
	if (strcmp(family->unit, "seconds") == 0)
		put(text, " %.6f\n", value / 1e6);
	else
		put(text, " %" PRIu64 "\n", value);
}

static void put_row(struct text *text, const struct us_metrics_reader *reader)
{
	const struct family *family = &families[reader->family];
	const void *row = &reader->of_daemon;
	char who[US_NAME_MAX + sizeof("pair=\"\"")] = "";

	if (family->scope == OF_VM) {
		row = &reader->vms[reader->row];
		snprintf(who, sizeof(who), "vm=\"%s\"", reader->vms[reader->row].name);
	} else if (family->scope == OF_PAIR) {
		row = &reader->pairs[reader->row];
		snprintf(who, sizeof(who), "pair=\"%s\"", reader->pairs[reader->row].name);
	}
	if (family->print)
		family->print(text, family->name, who, row);
	else if (family->word)
		put_states(text, family, who, row);
	else
		put_number(text, family, who, row);
}

size_t us_metrics_reader_read(struct us_metrics_reader *reader, char *bytes, size_t size)
{
	const uint64_t rows[] = { [OF_DAEMON] = 1,
				  [OF_VM] = reader->of_daemon.vms,
				  [OF_PAIR] = reader->of_daemon.pairs };
	struct text text = { .bytes = bytes, .size = size };

	while (!reader->is_over && text.length + ROW_BYTES <= size) {
		const struct family *family = &families[reader->family];

		if (reader->row == 0)
			put_header(&text, family);
		if (reader->row < rows[family->scope])
			put_row(&text, reader);
		if (++reader->row < rows[family->scope])
			continue;
		reader->row = 0;
		if (++reader->family < US_ARRAY_LENGTH(families))
			continue;
		put(&text, "# EOF\n");
		reader->is_over = true;
	}
	return text.length;
}
