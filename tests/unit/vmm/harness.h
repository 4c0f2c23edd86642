/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of src/vmm share: a loop, a log of events, and answers to wait for. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/clock.h"
#include "vmm/vmm.h"

enum {
	/* Only a broken test waits so long. */
	PATIENCE_USEC = 30 * 1000 * 1000,
};

struct answer {
	bool done;
	int r;
	char reason[400];
	char text[400]; /* a slot's bus, or a URI */
	uint64_t number;
	struct us_vmm_standby standby;
	struct us_transfer_progress progress;
};

struct observed {
	sd_event *loop;
	struct us_vmm *vm;
	char log[8192];	  /* one line an event */
	char reason[400]; /* of the last REFUSED or LOST */
};

__attribute__((format(printf, 2, 3))) static inline void record(struct observed *observed,
								const char *format, ...)
{
	size_t used = strlen(observed->log);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(observed->log + used, sizeof(observed->log) - used, format, arguments);
	va_end(arguments);
}

static inline void on_vm_event(void *userdata, const struct us_vmm_event *event)
{
	static const char *const states[] = { "unknown", "running", "incoming", "moved", "gone" };
	static const char *const guests[] = { "none", "legacy", "capable" };
	struct observed *observed = userdata;

	switch (event->type) {
	case US_VMM_ADOPTED:
		record(observed, "adopted %s\n", states[event->state]);
		break;
	case US_VMM_REFUSED:
		record(observed, "refused\n");
		break;
	case US_VMM_LOST:
		record(observed, "lost%s\n", event->exited ? " exited" : "");
		break;
	case US_VMM_STATE:
		record(observed, "state %s\n", states[event->state]);
		break;
	case US_VMM_RESET:
		record(observed, "reset by %s\n", event->by_guest ? "guest" : "host");
		break;
	case US_VMM_GUEST:
		record(observed, "guest %s %s%s\n", event->device, guests[event->guest],
		       event->driver_ok ? " ok" : "");
		break;
	case US_VMM_DELETED:
		record(observed, "deleted %s\n", event->device);
		break;
	case US_VMM_INCOMING_FAILED:
		record(observed, "incoming failed\n");
		break;
	case US_VMM_TRANSFER:
		record(observed, "transfer %s\n", us_transfer_name(event->transfer));
		break;
	case US_VMM_TRACE:
		record(observed, "trace %s\n", event->name);
		break;
	}
	if (event->reason)
		snprintf(observed->reason, sizeof(observed->reason), "%s", event->reason->text);
}

static inline void on_done(void *userdata, int r, const struct us_reason *reason)
{
	struct answer *answer = userdata;

	assert_false(answer->done);
	assert_int_equal(r == 0, reason == NULL);
	answer->done = true;
	answer->r = r;
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason ? reason->text : "");
}

static inline void on_number(void *userdata, int r, const struct us_reason *reason, uint64_t value)
{
	struct answer *answer = userdata;

	answer->number = value;
	on_done(userdata, r, reason);
}

static inline void on_text(void *userdata, int r, const struct us_reason *reason, const char *text)
{
	struct answer *answer = userdata;

	assert_int_equal(r == 0, text != NULL);
	snprintf(answer->text, sizeof(answer->text), "%s", text ? text : "");
	on_done(userdata, r, reason);
}

static inline void on_standby(void *userdata, int r, const struct us_reason *reason,
			      const struct us_vmm_standby *standby)
{
	struct answer *answer = userdata;

	assert_int_equal(r == 0, standby != NULL);
	if (standby)
		answer->standby = *standby;
	on_done(userdata, r, reason);
}

static inline void on_transfer_progress(void *userdata, int r, const struct us_reason *reason,
					const struct us_transfer_progress *progress)
{
	struct answer *answer = userdata;

	if (progress)
		answer->progress = *progress;
	on_done(userdata, r, reason);
}

/* Runs the loop until @condition holds; the test fails if it never does. */
#define WAIT_FOR(loop, condition)                                                                  \
	do {                                                                                       \
		uint64_t end_usec = us_now_usec() + PATIENCE_USEC;                                 \
		while (!(condition)) {                                                             \
			if (us_now_usec() > end_usec)                                              \
				fail_msg("waited in vain for " #condition);                        \
			assert_true(sd_event_run(loop, 100 * 1000) >= 0);                          \
		}                                                                                  \
	} while (0)

/* Makes a request (an expression that names @into) and waits for its answer. */
#define ASK(observed, into, request)                                                               \
	do {                                                                                       \
		memset(&(into), 0, sizeof(into));                                                  \
		assert_int_equal(request, 0);                                                      \
		WAIT_FOR((observed)->loop, (into).done);                                           \
	} while (0)

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr(text, part))                                                           \
			fail_msg("no \"%s\" in \"%s\"", part, text);                               \
	} while (0)
