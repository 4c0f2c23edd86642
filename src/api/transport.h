/* SPDX-License-Identifier: BSD-3-Clause */
/* Connects to a daemon: by a Unix socket, or by ssh and `understudy proxy` on the other host. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

struct us_transport {
	int fd;	   /* a connected stream socket */
	int pidfd; /* of ssh; -1: there is none */
	pid_t pid;
};

/*
 * Connects to @host, see api/uri.h. Does not block, and does not wait until ssh has connected.
 * Returns 0, -EINVAL for a host of another form, or -errno.
 */
int us_transport_open(struct us_transport *ret_transport, const char *host);

/*
 * Closes the descriptors and kills ssh. The end of ssh is awaited from @loop, because a killed
 * process can take time to end. Safe to call twice.
 */
void us_transport_close(struct us_transport *transport, sd_event *loop);

/*
 * Collects ssh when it has ended (its pidfd is readable), and returns why it ended, a literal;
 * NULL: it still runs.
 */
const char *us_transport_collect(struct us_transport *transport);
