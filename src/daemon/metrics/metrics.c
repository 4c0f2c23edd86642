/* SPDX-License-Identifier: BSD-3-Clause */
/* The metrics of the daemon, from their making to their end. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/metrics/metrics-private.h"

int us_metrics_new(struct us_metrics **ret_metrics, struct us_vms *vms, sd_event *loop,
		   us_metrics_daemon_fn read_daemon, void *userdata)
{
	struct us_metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	metrics->vms = vms;
	metrics->loop = loop;
	metrics->read_daemon = read_daemon;
	metrics->userdata = userdata;
	us_list_init(&metrics->readers);
	*ret_metrics = metrics;
	return 0;
}

void us_metrics_free(struct us_metrics *metrics)
{
	if (!metrics)
		return;
	us_metrics_server_free(metrics->server);
	free(metrics);
}

int us_metrics_serve(struct us_metrics *metrics, const char *address, int fd,
		     struct us_reason *reason)
{
	return us_metrics_server_new(&metrics->server, metrics, address, fd, reason);
}
