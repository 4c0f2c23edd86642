/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One VM: connecting and adopting, run state, and what QEMU's events mean.
 *
 * The stream is the order of the world: an answer that comes after an event was found out after
 * it, because QEMU makes both under one lock. So an event only ever needs one question, and a
 * question that is already on its way will do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/stream.h"
#include "vmm/qemu/decode.h"
#include "vmm/qemu/qemu-private.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum {
	BACKOFF_USEC = 100 * 1000,
	BACKOFF_MAX_USEC = 5 * 1000 * 1000,
	/* A connection that lived so long was a good one: the next starts without back-off. */
	GOOD_LIFE_USEC = 5 * 1000 * 1000,
	/* While a migration runs that somebody else started without the `events` capability. */
	TRANSFER_LOOK_USEC = 1000 * 1000,
	NEVER_LOST = 1, /* no error of a connection: those are 0 (it was closed) or negative */
};

/* ---- Life ---- */

static void destroy(struct us_vmm *vmm)
{
	us_qemu_standby_free_all(vmm);
	us_qemu_primary_free_all(vmm);
	us_qemu_slot_free_all(vmm);
	us_timer_deinit(&vmm->timer);
	us_close(vmm->pidfd);
	free(vmm->path);
	free(vmm);
}

/* ---- Timer ---- */

void us_qemu_schedule(struct us_vmm *vmm)
{
	uint64_t next;

	if (!vmm->adopted)
		return;
	next = us_qemu_standby_next_recheck(vmm);
	if (!vmm->transfer_events && vmm->transfer == US_TRANSFER_ACTIVE && next == UINT64_MAX)
		next = us_now_usec() + TRANSFER_LOOK_USEC;
	if (next == UINT64_MAX)
		us_timer_stop(&vmm->timer);
	else
		us_timer_set(&vmm->timer, next);
}

/* ---- Connection lost, or never had ---- */

static void forget_connection(struct us_vmm *vmm)
{
	vmm->adopted = vmm->running = vmm->transfer_untold = false;
	vmm->state = US_VM_UNKNOWN;
	us_qemu_listener_close(vmm);
	us_qmp_free(US_STEAL(vmm->qmp));
	us_timer_stop(&vmm->timer);
}

static void refuse(struct us_vmm *vmm, const struct us_reason *cause, bool exited)
{
	struct us_reason reason;

	us_refuse_because(&reason, cause, "%s", vmm->path);
	forget_connection(vmm);
	if (exited)
		vmm->state = US_VM_GONE;
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_REFUSED,
				  .exited = exited,
				  .reason = &reason,
			  });
}

/* Tells of a trouble that is a new one, and tries again. */
static void lose(struct us_vmm *vmm, int error, const struct us_reason *cause, bool exited)
{
	bool is_new = vmm->adopted || error != vmm->lost_error;
	struct us_reason reason;

	us_refuse_because(&reason, cause, "%s", vmm->path);
	if (vmm->adopted && us_now_usec() - vmm->adopted_usec > GOOD_LIFE_USEC)
		vmm->backoff_usec = BACKOFF_USEC;
	forget_connection(vmm);
	vmm->lost_error = error;
	if (exited)
		vmm->state = US_VM_GONE;
	us_timer_set(&vmm->timer, us_now_usec() + vmm->backoff_usec);
	vmm->backoff_usec *= 2;
	if (vmm->backoff_usec > BACKOFF_MAX_USEC)
		vmm->backoff_usec = BACKOFF_MAX_USEC;
	if (is_new)
		us_qemu_emit(vmm, (struct us_vmm_event){
					  .type = US_VMM_LOST,
					  .exited = exited,
					  .reason = &reason,
				  });
}

/* A trouble of connecting: before the first adoption the operator has to act. */
static void fail(struct us_vmm *vmm, int error)
{
	bool exited = error == -ENOENT || error == -ECONNREFUSED;
	bool held = error == -ETIMEDOUT || error == -EAGAIN;
	struct us_reason reason;

	if (error == -ENOENT)
		us_refuse(&reason, "no such socket");
	else if (error == -ECONNREFUSED)
		us_refuse(&reason, "no QEMU listens there");
	else if (held)
		us_refuse(&reason, "no greeting");
	else
		us_refuse(&reason, "%s", us_strerror(error));
	if (exited)
		us_advise(&reason, "start QEMU with -qmp unix:PATH,server=on,wait=off");
	else if (held)
		us_advise(&reason,
			  "the monitor socket is held by another client (give Understudy one of "
			  "its own: -qmp unix:PATH,server=on,wait=off), or QEMU is stopped or "
			  "still starting");
	if (vmm->was_adopted)
		lose(vmm, error, &reason, exited);
	else
		refuse(vmm, &reason, exited);
}

/* ---- Adoption ---- */

static void set_state(struct us_vmm *vmm, enum us_vm_state state)
{
	if (state == vmm->state)
		return;
	vmm->state = state;
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_STATE });
}

static void adopt(struct us_vmm *vmm, const json_t *status)
{
	vmm->adopted = vmm->was_adopted = true;
	vmm->lost_error = 0;
	vmm->adopted_usec = us_now_usec();
	vmm->state = us_qemu_decode_run_state(status, vmm->transfer);
	vmm->running = us_qemu_decode_running(status);
	us_qemu_standby_forget(vmm);
	us_qemu_primary_forget(vmm);
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_ADOPTED });
	if (!vmm->freed && vmm->adopted) {
		us_qemu_standby_recheck(vmm);
		us_qemu_schedule(vmm);
	}
}

static void on_adoption_failed(struct us_vmm *vmm, const struct us_qmp_answer *answer)
{
	/* -ECONNRESET: the connection's end tells. */
	if (answer->r != -ECONNRESET)
		lose(vmm, -EPROTO, answer->reason, false);
}

static void on_events_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	/* QEMU refuses while a migration runs. */
	vmm->transfer_events = answer->r == 0;
}

static void on_first_transfer(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	vmm->transfer = us_qemu_decode_transfer(json_object_get(answer->value, "status"));
}

static void on_first_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (vmm->freed)
		; /* nobody to tell */
	else if (answer->r)
		on_adoption_failed(vmm, answer);
	else
		adopt(vmm, answer->value);
	us_qemu_unref(vmm);
}

static int set_events(struct us_vmm *vmm)
{
	return us_qmp_call(vmm->qmp, on_events_set, vmm, "migrate-set-capabilities",
			   "{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);
}

static bool is_older(const struct us_qmp_version *version, unsigned major, unsigned minor)
{
	return version->major < major || (version->major == major && version->minor < minor);
}

/*
 * What QEMU calls unstable is asked only of versions that were seen to answer it. QEMU 11.1 aborts
 * at x-query-virtio-status, of any virtio device, and its guest dies: the answer's
 * "backend-features" is not optional, and since "vhost: drop backend_features field" (May 2026)
 * qmp_x_query_virtio_status() in hw/virtio/virtio-qmp.c leaves it NULL.
 */
static void choose_questions(struct us_vmm *vmm, const struct us_qmp_version *version)
{
	vmm->may_ask_status = is_older(version, 10, 1);
	vmm->may_ask_queues = is_older(version, 11, 2);
}

static void on_ready(void *userdata, const struct us_qmp_version *version)
{
	struct us_vmm *vmm = userdata;
	struct us_reason reason;

	us_qemu_ref(vmm);
	snprintf(vmm->version, sizeof(vmm->version), "%u.%u.%u", version->major, version->minor,
		 version->micro);
	choose_questions(vmm, version);
	if (is_older(version, 7, 2)) {
		us_refuse(&reason, "QEMU %s is too old: version 7.2 or later is needed",
			  vmm->version);
		us_advise(&reason, "start the VM with one");
		refuse(vmm, &reason, false);
	} else if (set_events(vmm) < 0 ||
		   us_qmp_call(vmm->qmp, on_first_transfer, vmm, "query-migrate", NULL) < 0 ||
		   us_qmp_call(vmm->qmp, on_first_status, vmm, "query-status", NULL) < 0) {
		us_refuse(&reason, "%s", us_strerror(ENOMEM));
		lose(vmm, -ENOMEM, &reason, false);
	}
	us_qemu_unref(vmm);
}

/* ---- Events ---- */

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	if (!vmm->adopted)
		return;
	us_qemu_ref(vmm);
	if (answer->r == 0) {
		vmm->running = us_qemu_decode_running(answer->value);
		set_state(vmm, us_qemu_decode_run_state(answer->value, vmm->transfer));
	}
	if (vmm->transfer_untold && !vmm->freed) {
		vmm->transfer_untold = false;
		us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
	if (!vmm->freed)
		us_qemu_schedule(vmm);
	us_qemu_unref(vmm);
}

static void query_status(struct us_vmm *vmm)
{
	if (vmm->adopted)
		us_qmp_call(vmm->qmp, on_status, vmm, "query-status", NULL);
}

static void on_stop(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	vmm->running = false;
	query_status(vmm);
}

/* Also the end of INCOMING, and what follows a migration that failed late. */
static void on_resume(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	vmm->running = true;
	set_state(vmm, US_VM_RUNNING);
	us_qemu_standby_recheck(vmm);
	us_qemu_schedule(vmm);
}

static void on_reset(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_RESET,
				  .by_guest = json_is_true(json_object_get(event->data, "guest")),
				  .age_usec = event->age_usec,
			  });
	us_qemu_standby_reset(vmm);
	us_qemu_standby_recheck(vmm);
}

static void on_negotiated(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device-id"));

	if (device)
		us_qemu_standby_negotiated(vmm, device);
}

static void on_deleted(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device"));

	/* One without an id is a part of another device. */
	if (device)
		us_qemu_primary_deleted(vmm, device);
}

void us_qemu_transfer_observe(struct us_vmm *vmm, enum us_transfer transfer)
{
	bool is_news = vmm->transfer != transfer;

	vmm->transfer = transfer;
	/*
	 * An end may change the run state without an event of its own; that comes first: until it
	 * is known, a guest that has moved would be taken for one that may get its primary back.
	 */
	if (transfer != US_TRANSFER_ACTIVE) {
		vmm->transfer_untold |= is_news;
		query_status(vmm);
	} else if (is_news) {
		us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
}

static void on_migration(struct us_vmm *vmm, const struct us_qmp_event *event)
{
	us_qemu_transfer_observe(vmm,
				 us_qemu_decode_transfer(json_object_get(event->data, "status")));
	if (!vmm->freed)
		us_qemu_schedule(vmm);
}

static const struct {
	const char *name;
	void (*handle)(struct us_vmm *vmm, const struct us_qmp_event *event);
} event_table[] = {
	{ "STOP", on_stop },
	{ "RESUME", on_resume },
	{ "RESET", on_reset },
	{ "FAILOVER_NEGOTIATED", on_negotiated },
	{ "DEVICE_DELETED", on_deleted },
	{ "MIGRATION", on_migration },
};

static void on_event(void *userdata, const struct us_qmp_event *event)
{
	struct us_vmm *vmm = userdata;

	/* What came before adoption is contained in its answers. */
	if (!vmm->adopted)
		return;
	us_qemu_ref(vmm);
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_TRACE,
				  .name = event->name,
				  .age_usec = event->age_usec,
			  });
	for (size_t i = 0; i < US_ARRAY_LENGTH(event_table); i++)
		if (strcmp(event_table[i].name, event->name) == 0 && !vmm->freed)
			event_table[i].handle(vmm, event);
	us_qemu_unref(vmm);
}

static void on_closed(void *userdata, int error, const struct us_reason *reason)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (error == -ETIMEDOUT)
		fail(vmm, error);
	else
		lose(vmm, error, reason, false);
	us_qemu_unref(vmm);
}

static const struct us_qmp_handler qmp_handler = {
	.ready = on_ready,
	.event = on_event,
	.closed = on_closed,
};

/* ---- Connecting ---- */

/*
 * The kernel tells it of the very process (Linux 6.5). Before, it may have ended and its number be
 * another's, but then nobody answers at this socket, and the descriptor is given up with it.
 */
static int open_pidfd(int fd, pid_t pid)
{
	socklen_t length = sizeof(int);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0)
		return pidfd;
	return errno == ENOPROTOOPT && pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/*
 * Who listens now. If it is not who did, the QEMU that was known has ended, whether or not there
 * was a moment in which nobody listened.
 */
static void take_pid(struct us_vmm *vmm, int fd)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	struct us_reason reason;
	int before = vmm->pid;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return;
	vmm->pid = peer.pid;
	us_close(vmm->pidfd);
	vmm->pidfd = open_pidfd(fd, peer.pid);
	if (!vmm->was_adopted || vmm->state == US_VM_GONE || before == vmm->pid)
		return;
	vmm->state = US_VM_GONE;
	us_refuse(&reason, "QEMU ended, and another one listens in its place");
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_LOST,
				  .exited = true,
				  .reason = &reason,
			  });
}

static void try_connect(struct us_vmm *vmm)
{
	US_CLEANUP(us_closep) int fd = -1;
	int r = us_connect_unix(vmm->path, &fd);

	if (r == 0) {
		take_pid(vmm, fd);
		if (vmm->freed)
			return;
		r = us_qmp_new(&vmm->qmp, vmm->loop, fd, &qmp_handler, vmm);
		fd = -1;
	}
	if (r < 0)
		fail(vmm, r);
}

static void on_timer(void *userdata)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (!vmm->qmp) {
		try_connect(vmm);
	} else {
		us_qemu_standby_recheck(vmm);
		if (!vmm->transfer_events && vmm->transfer == US_TRANSFER_ACTIVE)
			us_qemu_transfer_recheck(vmm);
		us_qemu_schedule(vmm);
	}
	us_qemu_unref(vmm);
}

void us_vmm_connect(struct us_vmm *vmm)
{
	if (vmm->qmp)
		return;
	vmm->was_adopted = false;
	vmm->lost_error = NEVER_LOST;
	vmm->backoff_usec = BACKOFF_USEC;
	us_timer_set(&vmm->timer, 0);
}

int us_vmm_new(struct us_vmm **ret_vmm, sd_event *loop, const char *monitor_path,
	       const struct us_vmm_handler *handler, void *userdata)
{
	struct us_vmm *vmm = calloc(1, sizeof(*vmm));
	int r;

	if (!vmm)
		return -ENOMEM;
	vmm->references = 1;
	vmm->destroy = destroy;
	vmm->loop = loop;
	vmm->pidfd = -1;
	vmm->listen_fd = -1;
	vmm->handler = handler;
	vmm->userdata = userdata;
	us_list_init(&vmm->standbys);
	us_list_init(&vmm->primaries);
	us_list_init(&vmm->plugs);
	us_list_init(&vmm->claims);
	vmm->path = strdup(monitor_path);
	r = us_timer_init(&vmm->timer, loop, on_timer, vmm);
	if (!vmm->path || r < 0) {
		destroy(vmm);
		return r < 0 ? r : -ENOMEM;
	}
	us_vmm_connect(vmm);
	*ret_vmm = vmm;
	return 0;
}

void us_vmm_free(struct us_vmm *vmm)
{
	if (!vmm || vmm->freed)
		return;
	vmm->freed = true;
	forget_connection(vmm);
	us_qemu_unref(vmm);
}

bool us_vmm_is_adopted(const struct us_vmm *vmm)
{
	return vmm->adopted;
}

enum us_vm_state us_vmm_state(const struct us_vmm *vmm)
{
	return vmm->state;
}

const char *us_vmm_version(const struct us_vmm *vmm)
{
	return vmm->version;
}

int us_vmm_pid(const struct us_vmm *vmm)
{
	return vmm->pid;
}

int us_vmm_pidfd(const struct us_vmm *vmm)
{
	return vmm->pidfd;
}
