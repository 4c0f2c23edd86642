/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lab/scenario/run.h"
#include "lab/traffic/tcp.h"
#include "util/clock.h"

#define QUOTE_USEC (US_USEC_PER_SEC / 2) /* for the remaining lines of a crashing kernel */

int us_run_new(struct us_run **ret_run, struct us_lab *lab, const struct us_scenario *scenario,
	       const struct us_run_options *options)
{
	struct us_run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->lab = lab;
	run->scenario = scenario;
	run->options = *options;
	run->begin_usec = us_now_usec();
	run->begin_realtime_usec = us_lab_timeline_now();
	run->nics = 1;
	run->downtime_ms = -1;
	*ret_run = run;
	return 0;
}

void us_run_free(struct us_run *run)
{
	for (int nic = 0; nic < US_LAB_NET_NICS; nic++)
		if (run->probes[nic])
			us_lab_probe_free(run->probes[nic]);
	us_lab_tcp_free(run->tcp);
	us_lab_timeline_clear(&run->timeline);
	free(run);
}

void us_run_say(struct us_run *run, const char *format, ...)
{
	va_list arguments;

	fprintf(run->options.out, "%7.1f s  ", (us_now_usec() - run->begin_usec) / 1e6);
	va_start(arguments, format);
	vfprintf(run->options.out, format, arguments);
	va_end(arguments);
	fprintf(run->options.out, "\n");
	fflush(run->options.out);
}

void us_run_fail(struct us_run *run, const char *format, ...)
{
	char *text = run->failures[run->failures_count];
	va_list arguments;

	if (run->failures_count == US_RUN_FAILURES || run->invalid[0])
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(run->failures[0]), format, arguments);
	va_end(arguments);
	run->failures_count++;
	us_run_say(run, "FAILED: %s", text);
}

static int on_cancel(sd_event_source *source, uint64_t usec, void *userdata)
{
	((struct us_run *)userdata)->lab->is_cancelled = true;
	return 0;
}

void us_run_invalidate(struct us_run *run, const char *format, ...)
{
	va_list arguments;

	if (run->invalid[0])
		return;
	va_start(arguments, format);
	vsnprintf(run->invalid, sizeof(run->invalid), format, arguments);
	va_end(arguments);
	us_run_say(run, "INVALID: %s", run->invalid);
	sd_event_add_time_relative(run->lab->loop, &run->cancel_timer, CLOCK_MONOTONIC, QUOTE_USEC,
				   0, on_cancel, run);
}

bool us_run_has_failed(const struct us_run *run)
{
	return run->failures_count > 0 || run->invalid[0];
}

int us_run_result(const struct us_run *run)
{
	return run->invalid[0] ? US_RUN_INVALID : us_run_has_failed(run) ? US_REFUSED : 0;
}

uint64_t us_run_monotonic(const struct us_run *run, uint64_t time_usec)
{
	return run->begin_usec + time_usec - run->begin_realtime_usec;
}

static void begin_phase(struct us_run *run, const char *name, struct us_run_phase phase)
{
	if (us_run_has_failed(run) || run->phases_count == US_RUN_PHASES)
		return;
	snprintf(phase.name, sizeof(phase.name), "%s", name);
	phase.begin_usec = us_now_usec();
	if (run->lab->options.manager != US_LAB_MANAGER_UNDERSTUDY)
		phase.loss = US_RUN_LOSS_ALLOWED;
	run->phases[run->phases_count++] = phase;
	us_lab_timeline_add(&run->timeline, us_lab_timeline_now(), "lab", "lab", "phase", name,
			    NULL);
	us_run_say(run, "phase: %s", name);
	if (run->options.on_phase)
		run->options.on_phase(run->options.on_phase_userdata, name);
}

void us_run_begin_phase(struct us_run *run, const char *name)
{
	begin_phase(run, name, (struct us_run_phase){});
}

void us_run_begin_steady(struct us_run *run, const char *name)
{
	begin_phase(run, name,
		    (struct us_run_phase){ .is_steady = true, .loss = US_RUN_LOSS_NONE });
}

void us_run_begin_transition(struct us_run *run, const char *name, const char *transition)
{
	begin_phase(
		run, name,
		(struct us_run_phase){ .transition = transition, .loss = US_RUN_LOSS_FROM_GUEST });
}

void us_run_allow_loss(struct us_run *run)
{
	if (run->phases_count)
		run->phases[run->phases_count - 1].loss = US_RUN_LOSS_ALLOWED;
}

uint64_t us_run_phase_end(const struct us_run *run, unsigned phase)
{
	return phase + 1 < run->phases_count ? run->phases[phase + 1].begin_usec : run->end_usec;
}
