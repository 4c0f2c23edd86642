/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "lab/scenario/steps.h"
#include "util/clock.h"

#define LIMIT_USEC (60 * US_USEC_PER_SEC)

void us_expect_console(struct us_run *run, enum us_lab_host host, const char *text)
{
	int r;

	if (us_run_has_failed(run))
		return;
	r = us_lab_vm_console_expect(run->stage->vms[host], text, 2 * LIMIT_USEC);
	if (r)
		us_run_fail(run, "the guest did not print \"%s\" on its console: %s", text,
			    us_strerror(r));
	else
		us_run_say(run, "the guest prints: %s", text);
	run->stage->has_shell |= !r && !strcmp(text, "guest: ready");
}

struct heard {
	struct us_lab_probe *probe;
	uint64_t before;
};

static bool is_heard(void *userdata)
{
	struct heard *heard = userdata;

	return us_lab_probe_heard(heard->probe) > heard->before;
}

int us_run_wait(struct us_run *run, bool (*done)(void *), void *userdata, uint64_t timeout_usec)
{
	return us_lab_poll(run->lab, done, userdata, timeout_usec);
}

void us_expect_heard(struct us_run *run)
{
	for (unsigned nic = 0; !us_run_has_failed(run) && nic < run->nics; nic++) {
		struct heard heard = { run->probes[nic], us_lab_probe_heard(run->probes[nic]) };

		if (us_run_wait(run, is_heard, &heard, LIMIT_USEC))
			us_run_fail(run, "%s: no frames arrive from the guest",
				    us_lab_net_nics[nic].pair);
	}
}

static bool is_answered(void *userdata)
{
	struct heard *heard = userdata;

	return us_lab_probe_reached(heard->probe) > heard->before;
}

void us_expect_answered(struct us_run *run)
{
	for (unsigned nic = 0; !us_run_has_failed(run) && nic < run->nics; nic++) {
		struct heard heard = { run->probes[nic], us_lab_probe_reached(run->probes[nic]) +
								 run->lab->options.rate / 4 };

		if (us_run_wait(run, is_answered, &heard, LIMIT_USEC))
			us_run_fail(run, "%s: no frames arrive in the guest",
				    us_lab_net_nics[nic].pair);
	}
}

struct frames {
	struct us_run *run;
	enum us_lab_host host;
	const char *port;
	int64_t enough;
};

/*
 * A host cannot count the frames to a VF. Their number is estimated as the number that reached the
 * guest minus the number sent to its standby. Both only grow; lost frames make the estimate lower.
 */
static int64_t frames_of_vf(struct us_run *run, enum us_lab_host host, unsigned nic)
{
	int64_t reached = us_lab_probe_reached(run->probes[nic]),
		frames = us_lab_net_frames_out(run->lab, host, us_lab_net_nics[nic].standby_port);

	return frames < 0 ? frames : reached - frames;
}

static int64_t frames_out(struct us_run *run, enum us_lab_host host, const char *port)
{
	for (unsigned nic = 0; us_lab_has_machines(run->lab) && nic < run->nics; nic++)
		if (!strcmp(us_lab_net_nics[nic].primary_port, port))
			return frames_of_vf(run, host, nic);
	return us_lab_net_frames_out(run->lab, host, port);
}

static bool are_enough(void *userdata)
{
	struct frames *frames = userdata;

	return frames_out(frames->run, frames->host, frames->port) >= frames->enough;
}

static void expect_frames(struct us_run *run, enum us_lab_host host, const char *port,
			  unsigned count)
{
	struct frames frames = { run, host, port, 0 };

	if (us_run_has_failed(run))
		return;
	frames.enough = frames_out(run, host, port) + count;
	if (us_run_wait(run, are_enough, &frames, LIMIT_USEC))
		us_run_fail(run, "%s: no frames for the guest leave through %s",
			    us_lab_host_name(host), port);
}

void us_expect_traffic(struct us_run *run, enum us_lab_host host, const char *port)
{
	expect_frames(run, host, port, run->lab->options.rate / 2);
}

void us_expect_settled(struct us_run *run, enum us_lab_host host, const char *port)
{
	expect_frames(run, host, port, run->lab->options.rate * 2);
}

static const char *status_text(const json_t *value)
{
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return json_is_string(value) ? json_string_value(value) : "(none)";
}

/* The pair's object in `status`, borrowed from *@ret_status, or NULL. */
static json_t *status_of(struct us_run *run, enum us_lab_host host, const char *pair,
			 json_t **ret_status, struct us_reason *reason)
{
	const char *const argv[] = { "status", NULL };
	json_t *entry;
	size_t i;

	*ret_status = NULL;
	if (us_lab_cli_run(run->lab, host, argv, ret_status, reason))
		return NULL;
	json_array_foreach (json_object_get(*ret_status, "pairs"), i, entry)
		if (!strcmp(status_text(json_object_get(entry, "name")), pair))
			return entry;
	us_refuse(reason, "status has no pair %s", pair);
	return NULL;
}

struct awaited {
	struct us_run *run;
	uint64_t changes;
};

static bool has_changed(void *userdata)
{
	struct awaited *awaited = userdata;

	return awaited->run->stage->changes != awaited->changes;
}

void us_expect_status(struct us_run *run, enum us_lab_host host, const char *pair, const char *key,
		      const char *value)
{
	uint64_t end = us_now_usec() + LIMIT_USEC;
	struct us_reason reason = { .text = "" };
	json_t *status = NULL, *entry;
	bool is_met = false;

	while (!us_run_has_failed(run) && !is_met) {
		struct awaited awaited = { run, run->stage->changes };

		entry = status_of(run, host, pair, &status, &reason);
		is_met = entry && !strcmp(status_text(json_object_get(entry, key)), value);
		if (!is_met && (!entry || us_now_usec() > end || run->lab->is_interrupted))
			us_run_fail(
				run, "%s %s: %s is %s, not %s: %s", us_lab_host_name(host), pair,
				key, entry ? status_text(json_object_get(entry, key)) : "unknown",
				value,
				entry ? status_text(json_object_get(entry, "why")) : reason.text);
		json_decref(status);
		if (!is_met)
			us_lab_wait(run->lab, has_changed, &awaited, 500 * US_USEC_PER_MSEC);
	}
	if (is_met)
		us_run_say(run, "%s %s: %s is %s", us_lab_host_name(host), pair, key, value);
}

void us_expect_status_of_all(struct us_run *run, enum us_lab_host host, const char *key,
			     const char *value)
{
	for (unsigned nic = 0; nic < run->nics; nic++)
		us_expect_status(run, host, us_lab_net_nics[nic].pair, key, value);
}

void us_expect_exposed(struct us_run *run, enum us_lab_host host)
{
	us_expect_status(run, host, "web0", "guest", "capable");
	us_expect_status(run, host, "web0", "primary", "visible");
	us_expect_status(run, host, "web0", "path", "primary");
}

void us_expect_hidden(struct us_run *run, enum us_lab_host host)
{
	us_expect_status(run, host, "web0", "primary", "hidden");
	us_expect_status(run, host, "web0", "path", "standby");
}

void us_expect_never(struct us_run *run, enum us_lab_host host, const char *pair, const char *state,
		     uint64_t since_usec)
{
	char text[80];

	snprintf(text, sizeof(text), "%s: ", pair);
	for (size_t i = 0; !us_run_has_failed(run) && i < run->timeline.count; i++) {
		const struct us_lab_event *event = &run->timeline.events[i];

		if (event->time_usec >= since_usec && !strcmp(event->name, "move") &&
		    !strcmp(event->place, us_lab_host_name(host)) &&
		    !strncmp(event->detail, text, strlen(text)) &&
		    !strcmp(status_text(json_object_get(event->data, "to")), state))
			us_run_fail(run, "%s was not allowed: %s", state, event->detail);
	}
}

struct event_awaited {
	struct us_run *run;
	uint64_t since_usec;
	const char *place, *name, *text;
};

static bool has_happened(void *userdata)
{
	struct event_awaited *a = userdata;

	return us_lab_timeline_find(&a->run->timeline, a->since_usec, a->place, a->name, a->text);
}

const struct us_lab_event *us_expect_event(struct us_run *run, uint64_t since_usec,
					   enum us_lab_host host, const char *name,
					   const char *text)
{
	struct event_awaited awaited = { run, since_usec, us_lab_host_name(host), name, text };

	if (us_run_has_failed(run))
		return NULL;
	if (us_lab_wait(run->lab, has_happened, &awaited, LIMIT_USEC))
		us_run_fail(run, "%s: no event %s %s", awaited.place, name, text ? text : "");
	return us_lab_timeline_find(&run->timeline, since_usec, awaited.place, name, text);
}

void us_expect_order(struct us_run *run, uint64_t since_usec, enum us_lab_host host,
		     const char *const names[])
{
	for (; *names; names++) {
		const struct us_lab_event *event =
			us_expect_event(run, since_usec, host, *names, NULL);

		if (!event)
			return;
		since_usec = event->time_usec;
	}
}
