/* SPDX-License-Identifier: BSD-3-Clause */
/* The results of stages: events for the plan, and progress, warnings and failures for the client.
 */
#include "api/codec.h"
#include "api/server.h"
#include "daemon/migration/source-private.h"
#include "util/log.h"

/* ---- For the client ---- */

/* From the rates of the transfer and of dirty pages; -1: it does not converge. */
static json_int_t expected_msec(const struct us_transfer_progress *p)
{
	uint64_t gain = p->bytes_per_sec > p->dirty_bytes_per_sec
				? p->bytes_per_sec - p->dirty_bytes_per_sec
				: 0;

	return gain ? (json_int_t)(p->remaining_bytes * 1000 / gain) : -1;
}

json_t *us_source_progress_json(const struct us_source *source, const char *line,
				const struct us_reason *warning, bool is_last)
{
	const struct us_transfer_progress *p = &source->progress;
	const char *method = us_stop_method_name(us_stop_method_of_vm(source->vm));
	json_t *warning_text = warning ? us_wire_string(warning->text) : NULL;
	json_t *downtime = is_last ? json_integer((json_int_t)p->downtime_msec) : NULL;

	return json_pack(
		"{s:{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s*, s:o*, s:o*}}", "progress",
		"stage", us_stage_name(source->plan.stage), "undo", source->plan.is_undoing,
		"transferred_bytes", (json_int_t)p->transferred_bytes, "remaining_bytes",
		(json_int_t)p->remaining_bytes, "total_bytes", (json_int_t)p->total_bytes,
		"bytes_per_sec", (json_int_t)p->bytes_per_sec, "dirty_bytes_per_sec",
		(json_int_t)p->dirty_bytes_per_sec, "expected_msec", expected_msec(p), "line", line,
		"at_stop", method, "downtime_msec", downtime, "warning", warning_text);
}

void us_source_report_progress(struct us_source *source, const char *line,
			       const struct us_reason *warning)
{
	if (source->call && us_call_wants_more(source->call))
		us_call_continue(source->call,
				 us_source_progress_json(source, line, warning, false));
}

void us_source_warn(struct us_source *source, const struct us_reason *warning)
{
	us_log(LOG_WARNING, "%s", warning->text);
	us_source_report_progress(source, us_stage_name(source->plan.stage), warning);
}

/* ---- For the plan ---- */

void us_source_post(struct us_source *source, enum us_plan_event_type event)
{
	source->events |= 1u << event;
	sd_event_source_set_enabled(source->posted, SD_EVENT_ONESHOT);
}

bool us_source_is_doing(const struct us_source *source, enum us_stage stage)
{
	return source->plan.stage == stage && !source->plan.is_undoing;
}

/* In these stages the destination fails, not this host. */
static bool is_at_destination(enum us_stage stage)
{
	return stage == US_STAGE_RESERVE || stage == US_STAGE_ARRIVE || stage == US_STAGE_HANDOFF;
}

static void fail(struct us_source *source, const struct us_reason *reason)
{
	enum us_stage stage = source->plan.stage;
	bool is_remote = is_at_destination(stage);

	if (!source->reason.text[0])
		us_refuse_because(&source->reason, reason, "vm %s: %s%s%s",
				  us_host_vm_name(source->vm), us_stage_name(stage),
				  is_remote ? " at " : "", is_remote ? source->destination : "");
	if (us_stage_is_past_return(stage))
		us_source_warn(source, &source->reason);
	us_source_post(source, US_PLAN_FAILED);
}

void us_source_end_stage(struct us_source *source, int r, const struct us_reason *reason)
{
	struct us_reason words;

	us_refuse(&words, "%s", us_strerror(r));
	if (r == 0)
		us_source_post(source, US_PLAN_DONE);
	else
		fail(source, reason ? reason : &words);
}
