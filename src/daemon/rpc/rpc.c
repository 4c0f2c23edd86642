/* SPDX-License-Identifier: BSD-3-Clause */
/* The API from its making to its end, and the log about its clients. */
#include <errno.h>

#include "daemon/metrics/metrics.h"
#include "daemon/rpc/declared-private.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	DROPS_USEC = 10 * 1000 * 1000,
	DROPS_LOGGED = 20, /* one by one in that time; of the others their number */
};

static void on_dropped(void *userdata, pid_t pid, uid_t uid, const char *reason)
{
	static uint64_t since_usec;
	static unsigned count;
	uint64_t now = us_now_usec();

	if (now - since_usec >= DROPS_USEC) {
		if (count > DROPS_LOGGED)
			us_log(LOG_WARNING, "%u more clients were dropped", count - DROPS_LOGGED);
		since_usec = now;
		count = 0;
	}
	if (++count > DROPS_LOGGED)
		return;
	if (pid == 0)
		us_log(LOG_WARNING, "a client waits: %s: raise LimitNOFILE", reason);
	else
		us_log(LOG_WARNING, "client %d (uid %u) dropped: %s", (int)pid, (unsigned)uid,
		       reason);
}

int us_rpc_new(struct us_rpc **ret_rpc, const struct us_rpc_config *config)
{
	struct us_rpc *rpc = calloc(1, sizeof(*rpc));
	int r;

	if (!rpc)
		return -ENOMEM;
	rpc->config = *config;
	us_list_init(&rpc->subscribers);
	us_list_init(&rpc->attaches);
	us_list_init(&rpc->adds);
	us_list_init(&rpc->declares);
	us_list_init(&rpc->declarations);
	rpc->invalid = json_object();
	r = config->loop ? us_timer_init(&rpc->forgetting, config->loop, us_rpc_on_forget, rpc) : 0;
	if (r >= 0 && config->loop)
		r = us_timer_init(&rpc->following, config->loop, us_declared_on_follow, rpc);
	if (r < 0) {
		us_rpc_free(rpc);
		return r;
	}
	*ret_rpc = rpc;
	return 0;
}

void us_rpc_free(struct us_rpc *rpc)
{
	if (!rpc)
		return;
	us_rpc_stop_serving(rpc);
	us_timer_deinit(&rpc->forgetting);
	us_timer_deinit(&rpc->following);
	json_decref(rpc->invalid);
	free(rpc);
}

int us_rpc_serve(struct us_rpc *rpc, sd_event *loop, const char *path, int fd,
		 struct us_reason *reason)
{
	int r = us_server_new(&rpc->server, loop, path, fd, us_rpc_methods, rpc, reason);

	if (r == 0)
		us_server_on_drop(rpc->server, on_dropped);
	return r;
}

void us_rpc_stop_serving(struct us_rpc *rpc)
{
	if (rpc->server)
		us_server_free(US_STEAL(rpc->server));
}

void us_rpc_count(const struct us_rpc *rpc, struct us_metrics_daemon *ret_counts)
{
	ret_counts->server = *us_server_counts(rpc->server);
	ret_counts->dropped_events = rpc->dropped_events;
}
