/* SPDX-License-Identifier: BSD-3-Clause */
/* GetMetrics: sends the text in pieces, as fast as the client reads, one in a turn of the loop. */
#include <errno.h>

#include "api/codec.h"
#include "daemon/metrics/metrics-private.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	/* Not read by the client, before sending pauses. */
	BACKLOG_BYTES = 8 * US_METRICS_PIECE_BYTES,
	WAIT_USEC = 5 * 1000,
};

struct stream {
	struct us_call *call;
	struct us_metrics_reader *reader;
	sd_event_source *next; /* no us_timer: its priority is lower */
	uint64_t give_up_usec;
};

static void stream_free(struct stream *stream)
{
	sd_event_source_disable_unref(stream->next);
	us_metrics_reader_free(stream->reader);
	free(stream);
}

static void on_gone(void *userdata, struct us_call *call)
{
	stream_free(userdata);
}

static void continue_in(struct stream *stream, uint64_t usec)
{
	sd_event_source_set_time_relative(stream->next, usec);
	sd_event_source_set_enabled(stream->next, SD_EVENT_ONESHOT);
}

static int on_next(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct stream *stream = userdata;
	char text[US_METRICS_PIECE_BYTES + 1];
	uint64_t now = us_now_usec();

	if (now > stream->give_up_usec) {
		us_call_fail(stream->call, "Failed", "metrics: they were not read in time");
	} else if (us_call_backlog(stream->call) > BACKLOG_BYTES) {
		continue_in(stream, WAIT_USEC);
		return 0;
	} else {
		size_t length =
			us_metrics_reader_read(stream->reader, text, US_METRICS_PIECE_BYTES);

		text[length] = '\0';
		if (length > 0) {
			us_call_continue(stream->call,
					 json_pack("{s:o}", "text", us_wire_string(text)));
			continue_in(stream, 0);
			return 0;
		}
		us_call_reply(stream->call, json_pack("{s:s}", "text", ""));
	}
	stream_free(stream);
	return 0;
}

void us_metrics_answer(struct us_metrics *metrics, struct us_call *call)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct us_reason reason;
	int r = -ENOMEM;

	if (stream)
		r = us_metrics_reader_new(&stream->reader, metrics, us_call_uid(call));
	if (r == 0)
		r = sd_event_add_time_relative(metrics->loop, &stream->next, CLOCK_MONOTONIC, 0, 1,
					       on_next, stream);
	if (r < 0) {
		us_refuse(&reason, "metrics: %s",
			  r == -EBUSY ? "too many read them" : us_strerror(r));
		if (r == -EBUSY)
			us_advise(&reason, "try again");
		us_call_fail_with(call, "Refused", US_REFUSED, &reason);
		if (stream)
			stream_free(stream);
		return;
	}
	stream->call = call;
	stream->give_up_usec = us_now_usec() + US_METRICS_READ_USEC;
	us_call_on_gone(call, on_gone, stream);
	sd_event_source_set_priority(stream->next, US_PRIORITY_READING);
}
