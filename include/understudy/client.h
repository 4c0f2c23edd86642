/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control API (org.understudy.Control, a Varlink interface), on an sd-event loop.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#ifdef __cplusplus
extern "C" {
#endif

struct us_client;

/*
 * An answer. @error is NULL, or the error's name ("org.understudy.Control.NoSuchPair");
 * "org.understudy.Disconnected" (with @parameters {"message": why, "answered": whether a daemon
 * ever answered}) stands for a connection that ended. @more: further answers follow. @parameters
 * is borrowed. The client may be freed from here.
 */
typedef void (*us_client_answer_fn)(void *userdata, const char *error, const json_t *parameters,
				    bool more);

/*
 * Connects to @host: "unix:PATH", or "ssh://[USER@]HOST[:PORT]", which runs `ssh HOST understudy
 * proxy` and speaks through it (ssh asks nothing: BatchMode). Returns 0, a negative errno (-ENOENT,
 * -ECONNREFUSED: no daemon there), or -EINVAL for a host of another form.
 */
int us_client_new(struct us_client **ret_client, sd_event *loop, const char *host);
void us_client_free(struct us_client *client); /* ends the connection and its ssh, calls nobody */

/*
 * Calls a method of org.understudy.Control. @parameters is stolen (NULL: {}). Calls are answered
 * in order, from the loop. Returns 0 or a negative errno: -EPIPE when the connection ended;
 * then nobody is told more.
 */
int us_client_call(struct us_client *client, const char *method, json_t *parameters, bool more,
		   us_client_answer_fn answer, void *userdata);

#ifdef __cplusplus
}
#endif
