/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A QMP client over one connection: greeting, capabilities, commands by id, deadlines, events.
 *
 * It owns the connection and the commands under way. It knows the protocol (QEMU's
 * docs/interop/qmp-spec) and the meaning of no command. It never blocks and never reconnects. A
 * peer that breaks the protocol (no JSON, no object, an id that was never sent, a line over 1 MiB)
 * loses its connection, with the reason. An answer after its deadline is dropped, because the peer
 * may just have been stopped for a while.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "vmm/qmp/message.h"
#include "vmm/qmp/poll.h"

struct us_qmp;

#define US_QMP_GREETING_USEC (5 * US_USEC_PER_SEC)
#define US_QMP_COMMAND_USEC (5 * US_USEC_PER_SEC)

enum {
	US_QMP_MESSAGE_BYTES = 1024 * 1024,
};

struct us_qmp_version {
	unsigned major, minor, micro;
};

struct us_qmp_event {
	const char *name;
	const json_t *data; /* an object, or NULL */
	uint64_t age_usec;  /* by the peer's time stamp; 0 if it has none */
};

struct us_qmp_handler {
	/* The capabilities are negotiated: commands may be sent from now on. */
	void (*ready)(void *userdata, const struct us_qmp_version *version);
	void (*event)(void *userdata, const struct us_qmp_event *event);
	/* The connection ended. Last call; commands under way were answered before. @error is 0 if
	 * the peer closed, -ETIMEDOUT if it did not greet, and if it sent an error instead
	 * (a domain's channel) -EHOSTDOWN: the VM does not run, or -EAGAIN; -EPROTO if it broke the
	 * protocol, or the socket's error. */
	void (*closed)(void *userdata, int error, const struct us_reason *reason);
};

/*
 * Takes @fd, a connected socket, also on failure. @loop, @handler and @userdata are borrowed.
 * Returns 0 or -errno.
 */
int us_qmp_new(struct us_qmp **ret_qmp, sd_event *loop, int fd,
	       const struct us_qmp_handler *handler, void *userdata);

/*
 * Answers the commands under way with -ECONNRESET. The handler is not called any more. May be
 * called from inside a callback. @qmp may be NULL.
 */
void us_qmp_free(struct us_qmp *qmp);

/*
 * Sends a command. @format and the following arguments make its arguments as json_pack() does;
 * @format is NULL for none. @answer (NULL: nobody wants to know) is called exactly once, and never
 * from inside this call; with -ETIMEDOUT after @timeout_usec. A copy of @fd goes with the command,
 * for `getfd`; -1 for none. Returns 0, or -EINVAL if the arguments are no valid JSON (a string that
 * is not UTF-8), -ENOTCONN if the connection has ended, -EAGAIN if there is a descriptor and the
 * peer does not read now, or -ENOMEM; @answer is not called then.
 */
int us_qmp_call_with(struct us_qmp *qmp, uint64_t timeout_usec, int fd, us_qmp_answer_fn answer,
		     void *userdata, const char *command, const char *format, ...);

/* The same without a descriptor, and with the usual deadline. */
#define us_qmp_call(qmp, answer, userdata, ...)                                                    \
	us_qmp_call_with(qmp, US_QMP_COMMAND_USEC, -1, answer, userdata, __VA_ARGS__)

/*
 * Asks a poll (poll.h). Nothing happens while its answer is outstanding: that answer is newer than
 * anything the peer said before this call. There is no deadline.
 */
void us_qmp_poll_ask(struct us_qmp *qmp, struct us_qmp_poll *poll);

bool us_qmp_version_is_older(const struct us_qmp_version *version, unsigned major, unsigned minor);
