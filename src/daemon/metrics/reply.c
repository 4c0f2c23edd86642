/* SPDX-License-Identifier: BSD-3-Clause */
/* GetMetrics: the text in pieces, as fast as the client reads, one a turn of the loop. */
#include <errno.h>
#include <string.h>

#include "api/codec.h"
#include "daemon/metrics/metrics-private.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	BACKLOG_BYTES =
		8 * US_METRICS_PIECE_BYTES, /* unread by the client before it is waited for */
	WAIT_USEC = 5 * 1000,
};

struct telling {
	struct us_call *call;
	struct us_metrics_reader *reader;
	sd_event_source
		*next; /* not a timer, which would go before what clients have to wait for */
	uint64_t give_up_usec;
};

static void telling_free(struct telling *telling)
{
	sd_event_source_disable_unref(telling->next);
	us_metrics_reader_free(telling->reader);
	free(telling);
}

static void on_gone(void *userdata, struct us_call *call)
{
	telling_free(userdata);
}

static void go_on_in(struct telling *telling, uint64_t usec)
{
	sd_event_source_set_time_relative(telling->next, usec);
	sd_event_source_set_enabled(telling->next, SD_EVENT_ONESHOT);
}

static int tell(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct telling *telling = userdata;
	char text[US_METRICS_PIECE_BYTES + 1];
	uint64_t now = us_now_usec();

	if (now > telling->give_up_usec) {
		us_call_fail(telling->call, "Failed", "metrics: they were not read in time");
	} else if (us_call_backlog(telling->call) > BACKLOG_BYTES) {
		go_on_in(telling, WAIT_USEC);
		return 0;
	} else {
		size_t length =
			us_metrics_reader_read(telling->reader, text, US_METRICS_PIECE_BYTES);

		text[length] = '\0';
		if (length > 0) {
			us_call_continue(telling->call,
					 json_pack("{s:o}", "text", us_wire_string(text)));
			go_on_in(telling, 0);
			return 0;
		}
		us_call_reply(telling->call, json_pack("{s:s}", "text", ""));
	}
	telling_free(telling);
	return 0;
}

void us_metrics_answer(struct us_metrics *metrics, struct us_call *call)
{
	struct telling *telling;
	int r = -ENOMEM;

	if (!us_call_wants_more(call)) {
		us_call_fail(call, "Refused", "GetMetrics streams: call it with `more`");
		return;
	}
	telling = calloc(1, sizeof(*telling));
	if (telling)
		r = us_metrics_reader_new(&telling->reader, metrics, us_call_uid(call));
	if (r == 0)
		r = sd_event_add_time_relative(metrics->loop, &telling->next, CLOCK_MONOTONIC, 0, 1,
					       tell, telling);
	if (r < 0) {
		us_call_fail(call, "Refused", "metrics: %s",
			     r == -EBUSY ? "too many read them: try again" : us_strerror(r));
		if (telling)
			telling_free(telling);
		return;
	}
	telling->call = call;
	telling->give_up_usec = us_now_usec() + US_METRICS_READ_USEC;
	us_call_on_gone(call, on_gone, telling);
	sd_event_source_set_priority(telling->next, US_PRIORITY_READING);
}
