/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps that scenarios are made of.
 *
 * A scenario is a list of steps without branches. The first step that fails is recorded, and all
 * later ones have no effect. `us_do_…` acts. `us_expect_…` waits until a condition is true, and
 * returns as soon as it is; its time limit is a last resort, never a measurement.
 */
#pragma once

#include "lab/scenario/stage.h"
#include "lab/world/kernel-crash.h"

/* ---- Actions ---- */

/* How most scenarios begin: a guest on host-a, attached, booted, probed, that uses its primary.
 * @mode: --mode of the pairs; NULL: combined. */
void us_do_reach_primary(struct us_run *run, const char *mode);
/* The same without understudyd: @expose gives the guest its primary. */
void us_do_reach_primary_by(struct us_run *run, void (*expose)(struct us_run *run));
/* Starts a VM with run->nics NICs; us_expect_console() waits for the guest's boot. */
void us_do_start(struct us_run *run, const struct us_lab_vm_options *options);
/* Ends the VM's QEMU. */
void us_do_stop(struct us_run *run, enum us_lab_host host);
/* Starts a VM on @host that waits for a migration, attached and with its pairs. */
void us_do_prepare_destination(struct us_run *run, enum us_lab_host host, const char *mode);
/* Starts the probes of all NICs, and TCP if the options ask for it. */
void us_do_start_probes(struct us_run *run);
/* Attaches the VM "web" and adds its pairs. @hold: their primaries stay hidden. */
void us_do_attach(struct us_run *run, enum us_lab_host host, const char *mode, bool hold);
/* Runs `understudy` on @host to its end; the arguments are strings, the last is NULL. */
void us_do_understudy(struct us_run *run, enum us_lab_host host, ...) __attribute__((sentinel));
/* Starts `understudy` on @host; us_expect_command_ends() waits for it. */
void us_do_start_command(struct us_run *run, enum us_lab_host host, const char *const argv[],
			 void (*on_line)(struct us_lab_cli *cli, json_t *line));
/* Runs a QMP command (@arguments: stolen, or NULL), as another tool of the operator would. */
void us_do_qmp(struct us_run *run, enum us_lab_host host, const char *command, json_t *arguments);
/* Runs a shell command in the guest; it has to succeed. */
void us_do_in_guest(struct us_run *run, enum us_lab_host host, const char *command);
/* Types a command into the guest's shell and does not wait. */
void us_do_type(struct us_run *run, enum us_lab_host host, const char *command);
/* Tells the guest to reboot and does not wait. */
void us_do_reboot(struct us_run *run, enum us_lab_host host);
/* Records the downtime that the source's QEMU, on @host, has measured. */
void us_do_read_downtime(struct us_run *run, enum us_lab_host host);

/* ---- Expectations ---- */

/* Polls until done(userdata); returns as us_lab_poll(). */
int us_run_wait(struct us_run *run, bool (*done)(void *userdata), void *userdata,
		uint64_t timeout_usec);

/* The guest prints @text on its console. */
void us_expect_console(struct us_run *run, enum us_lab_host host, const char *text);
/* `understudy status` reports @value for @key of @pair ("true" and "false" for booleans). */
void us_expect_status(struct us_run *run, enum us_lab_host host, const char *pair, const char *key,
		      const char *value);
/* The same for all pairs of the VM. */
void us_expect_status_of_all(struct us_run *run, enum us_lab_host host, const char *key,
			     const char *value);
/* The guest can handle the pair, its primary is visible, and the path leads there. */
void us_expect_exposed(struct us_run *run, enum us_lab_host host);
/* The primary is hidden, and the path leads to the standby. */
void us_expect_hidden(struct us_run *run, enum us_lab_host host);
/* No move of @pair on @host went to @state since @since_usec. Does not wait. */
void us_expect_never(struct us_run *run, enum us_lab_host host, const char *pair, const char *state,
		     uint64_t since_usec);
/* Frames to the guest leave the host through @port, for half a second. */
void us_expect_traffic(struct us_run *run, enum us_lab_host host, const char *port);
/* The same for two seconds, until the network has settled after a change. */
void us_expect_settled(struct us_run *run, enum us_lab_host host, const char *port);
/* An event as us_lab_timeline_find() finds it. Returns NULL if it did not come. */
const struct us_lab_event *us_expect_event(struct us_run *run, uint64_t since_usec,
					   enum us_lab_host host, const char *name,
					   const char *text);
/* The events @names (ends with NULL) in this order, since @since_usec. */
void us_expect_order(struct us_run *run, uint64_t since_usec, enum us_lab_host host,
		     const char *const names[]);
/* Frames arrive from the guest. */
void us_expect_heard(struct us_run *run);
/* Frames arrive in the guest, and its reports arrive here. */
void us_expect_answered(struct us_run *run);
