/* SPDX-License-Identifier: BSD-3-Clause */
/* The ways to a daemon: a Unix socket, or ssh and `understudy proxy` on the other host. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

struct us_transport {
	int fd;	   /* a connected stream socket */
	int pidfd; /* of the ssh in between, -1 if there is none */
	pid_t pid;
};

/*
 * @host is what api/uri.h reads. Does not block, and does not wait for ssh to connect. Returns 0,
 * -EINVAL for a host of another form, or -errno.
 */
int us_transport_open(struct us_transport *ret_transport, const char *host);

/*
 * Closes what is still open and ends ssh, which is collected from @loop: a killed process can take
 * its time to end. Safe to call twice.
 */
void us_transport_close(struct us_transport *transport, sd_event *loop);

/*
 * Collects an ssh that ended (its pidfd is readable) and says in words how; NULL if it runs.
 * The words are static.
 */
const char *us_transport_collect(struct us_transport *transport);
