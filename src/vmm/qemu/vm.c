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
#include "vmm/qemu/vm.h"

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

void us_qemu_ref(struct us_vm *vm)
{
	vm->callbacks++;
}

static void destroy(struct us_vm *vm)
{
	us_qemu_standby_free_all(vm);
	us_qemu_primary_free_all(vm);
	us_qemu_slot_free_all(vm);
	us_timer_deinit(&vm->timer);
	us_close(vm->pidfd);
	free(vm->name);
	free(vm->path);
	free(vm);
}

void us_qemu_unref(struct us_vm *vm)
{
	if (--vm->callbacks == 0 && vm->freed)
		destroy(vm);
}

void us_qemu_emit(struct us_vm *vm, struct us_vmm_event event)
{
	event.state = vm->state;
	event.transfer = vm->transfer;
	if (!vm->freed)
		vm->handler->event(vm->userdata, &event);
}

int us_qemu_request_check(const struct us_vm *vm, const char *id)
{
	/* A path would lead to another object than the one that is named. */
	if (id && (!*id || strlen(id) >= US_DEVICE_NAME_MAX || strchr(id, '/')))
		return -EINVAL;
	return vm->adopted ? 0 : -ENOTCONN;
}

struct us_request *us_qemu_request_new(struct us_vm *vm, us_vmm_done_fn done, void *userdata)
{
	struct us_request *request = malloc(sizeof(*request));

	if (request)
		*request = (struct us_request){ vm, done, userdata };
	return request;
}

int us_qemu_request_begin(struct us_vm *vm, const char *id, us_vmm_done_fn done, void *userdata,
		     struct us_request **ret_request)
{
	int r = us_qemu_request_check(vm, id);

	if (r < 0)
		return r;
	*ret_request = us_qemu_request_new(vm, done, userdata);
	return *ret_request ? 0 : -ENOMEM;
}

void us_qemu_request_finish(struct us_request *request, int r, const char *why)
{
	struct us_vm *vm = request->vm;

	us_qemu_ref(vm);
	if (!vm->freed && request->done)
		request->done(request->userdata, r, why);
	free(request);
	us_qemu_unref(vm);
}

void us_qemu_request_answer(void *userdata, const struct us_qmp_answer *answer)
{
	us_qemu_request_finish(userdata, answer->r, answer->why);
}

int us_qemu_request_made(struct us_request *request, int r)
{
	if (r < 0)
		free(request);
	return r;
}

/* ---- Timer ---- */

void us_qemu_schedule(struct us_vm *vm)
{
	uint64_t next;

	if (!vm->adopted)
		return;
	next = us_qemu_standby_next_recheck(vm);
	if (!vm->transfer_events && vm->transfer == US_TRANSFER_ACTIVE && next == UINT64_MAX)
		next = us_now_usec() + TRANSFER_LOOK_USEC;
	if (next == UINT64_MAX)
		us_timer_stop(&vm->timer);
	else
		us_timer_set(&vm->timer, next);
}

/* ---- Connection lost, or never had ---- */

static void forget_connection(struct us_vm *vm)
{
	vm->adopted = vm->running = vm->transfer_untold = false;
	vm->state = US_VM_UNKNOWN;
	us_qemu_listener_close(vm);
	us_qmp_free(US_STEAL(vm->qmp));
	us_timer_stop(&vm->timer);
}

static void refuse(struct us_vm *vm, const char *why, bool exited)
{
	struct us_reason reason;

	us_refuse(&reason, "%s: %s", vm->path, why);
	forget_connection(vm);
	if (exited)
		vm->state = US_VM_GONE;
	us_qemu_emit(vm, (struct us_vmm_event){
			       .type = US_VMM_REFUSED,
			       .exited = exited,
			       .reason = reason.text,
		       });
}

/* Tells of a trouble that is a new one, and tries again. */
static void lose(struct us_vm *vm, int error, const char *why, bool exited)
{
	bool is_new = vm->adopted || error != vm->lost_error;
	struct us_reason reason;

	us_refuse(&reason, "%s: %s", vm->path, why);
	if (vm->adopted && us_now_usec() - vm->adopted_usec > GOOD_LIFE_USEC)
		vm->backoff_usec = BACKOFF_USEC;
	forget_connection(vm);
	vm->lost_error = error;
	if (exited)
		vm->state = US_VM_GONE;
	us_timer_set(&vm->timer, us_now_usec() + vm->backoff_usec);
	vm->backoff_usec *= 2;
	if (vm->backoff_usec > BACKOFF_MAX_USEC)
		vm->backoff_usec = BACKOFF_MAX_USEC;
	if (is_new)
		us_qemu_emit(vm, (struct us_vmm_event){
				       .type = US_VMM_LOST,
				       .exited = exited,
				       .reason = reason.text,
			       });
}

/* A trouble of connecting: before the first adoption the operator has to act. */
static void fail(struct us_vm *vm, int error)
{
	bool exited = error == -ENOENT || error == -ECONNREFUSED;
	bool held = error == -ETIMEDOUT || error == -EAGAIN;
	const char *why = us_strerror(error);

	if (error == -ENOENT)
		why = "no such socket: start QEMU with -qmp unix:PATH,server=on,wait=off";
	else if (error == -ECONNREFUSED)
		why = "no QEMU listens there: start it with -qmp unix:PATH,server=on,wait=off";
	else if (held)
		why = "no greeting: the monitor socket is held by another client (give Understudy "
		      "one of its own: -qmp unix:PATH,server=on,wait=off), or QEMU is stopped or "
		      "still starting";
	if (vm->was_adopted)
		lose(vm, error, why, exited);
	else
		refuse(vm, why, exited);
}

/* ---- Adoption ---- */

static void set_state(struct us_vm *vm, enum us_vm_state state)
{
	if (state == vm->state)
		return;
	vm->state = state;
	us_qemu_emit(vm, (struct us_vmm_event){ .type = US_VMM_STATE });
}

static void adopt(struct us_vm *vm, const json_t *status)
{
	vm->adopted = vm->was_adopted = true;
	vm->lost_error = 0;
	vm->adopted_usec = us_now_usec();
	vm->state = us_qemu_decode_run_state(status, vm->transfer);
	vm->running = us_qemu_decode_running(status);
	us_qemu_standby_forget(vm);
	us_qemu_primary_forget(vm);
	us_qemu_emit(vm, (struct us_vmm_event){ .type = US_VMM_ADOPTED });
	if (!vm->freed && vm->adopted) {
		us_qemu_standby_recheck(vm);
		us_qemu_schedule(vm);
	}
}

static void on_adoption_failed(struct us_vm *vm, const struct us_qmp_answer *answer)
{
	/* -ECONNRESET: the connection's end tells. */
	if (answer->r != -ECONNRESET)
		lose(vm, -EPROTO, answer->why, false);
}

static void on_events_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vm *vm = userdata;

	/* QEMU refuses while a migration runs. */
	vm->transfer_events = answer->r == 0;
}

static void on_first_transfer(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vm *vm = userdata;

	vm->transfer = us_qemu_decode_transfer(json_object_get(answer->value, "status"));
}

static void on_first_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vm *vm = userdata;

	us_qemu_ref(vm);
	if (vm->freed)
		; /* nobody to tell */
	else if (answer->r)
		on_adoption_failed(vm, answer);
	else
		adopt(vm, answer->value);
	us_qemu_unref(vm);
}

static int set_events(struct us_vm *vm)
{
	return us_qmp_call(vm->qmp, on_events_set, vm, "migrate-set-capabilities",
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
static void choose_questions(struct us_vm *vm, const struct us_qmp_version *version)
{
	vm->may_ask_status = is_older(version, 10, 1);
	vm->may_ask_queues = is_older(version, 11, 2);
}

static void on_ready(void *userdata, const struct us_qmp_version *version)
{
	struct us_vm *vm = userdata;
	struct us_reason reason;

	us_qemu_ref(vm);
	snprintf(vm->version, sizeof(vm->version), "%u.%u.%u", version->major, version->minor,
		 version->micro);
	choose_questions(vm, version);
	if (is_older(version, 7, 2)) {
		us_refuse(&reason,
			  "QEMU %s is too old: version 7.2 or later is needed: start the VM with "
			  "one",
			  vm->version);
		refuse(vm, reason.text, false);
	} else if (set_events(vm) < 0 ||
		   us_qmp_call(vm->qmp, on_first_transfer, vm, "query-migrate", NULL) < 0 ||
		   us_qmp_call(vm->qmp, on_first_status, vm, "query-status", NULL) < 0) {
		lose(vm, -ENOMEM, us_strerror(-ENOMEM), false);
	}
	us_qemu_unref(vm);
}

/* ---- Events ---- */

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vm *vm = userdata;

	if (!vm->adopted)
		return;
	us_qemu_ref(vm);
	if (answer->r == 0) {
		vm->running = us_qemu_decode_running(answer->value);
		set_state(vm, us_qemu_decode_run_state(answer->value, vm->transfer));
	}
	if (vm->transfer_untold && !vm->freed) {
		vm->transfer_untold = false;
		us_qemu_emit(vm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
	if (!vm->freed)
		us_qemu_schedule(vm);
	us_qemu_unref(vm);
}

static void query_status(struct us_vm *vm)
{
	if (vm->adopted)
		us_qmp_call(vm->qmp, on_status, vm, "query-status", NULL);
}

static void on_stop(struct us_vm *vm, const struct us_qmp_event *event)
{
	vm->running = false;
	query_status(vm);
}

/* Also the end of INCOMING, and what follows a migration that failed late. */
static void on_resume(struct us_vm *vm, const struct us_qmp_event *event)
{
	vm->running = true;
	set_state(vm, US_VM_RUNNING);
	us_qemu_standby_recheck(vm);
	us_qemu_schedule(vm);
}

static void on_reset(struct us_vm *vm, const struct us_qmp_event *event)
{
	us_qemu_emit(vm, (struct us_vmm_event){
			       .type = US_VMM_RESET,
			       .by_guest = json_is_true(json_object_get(event->data, "guest")),
			       .age_usec = event->age_usec,
		       });
	us_qemu_standby_reset(vm);
	us_qemu_standby_recheck(vm);
}

static void on_negotiated(struct us_vm *vm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device-id"));

	if (device)
		us_qemu_standby_negotiated(vm, device);
}

static void on_deleted(struct us_vm *vm, const struct us_qmp_event *event)
{
	const char *device = json_string_value(json_object_get(event->data, "device"));

	/* One without an id is a part of another device. */
	if (device)
		us_qemu_primary_deleted(vm, device);
}

void us_qemu_transfer_observe(struct us_vm *vm, enum us_transfer transfer)
{
	bool is_news = vm->transfer != transfer;

	vm->transfer = transfer;
	/*
	 * An end may change the run state without an event of its own; that comes first: until it
	 * is known, a guest that has moved would be taken for one that may get its primary back.
	 */
	if (transfer != US_TRANSFER_ACTIVE) {
		vm->transfer_untold |= is_news;
		query_status(vm);
	} else if (is_news) {
		us_qemu_emit(vm, (struct us_vmm_event){ .type = US_VMM_TRANSFER });
	}
}

static void on_migration(struct us_vm *vm, const struct us_qmp_event *event)
{
	us_qemu_transfer_observe(vm, us_qemu_decode_transfer(json_object_get(event->data, "status")));
	if (!vm->freed)
		us_qemu_schedule(vm);
}

static const struct {
	const char *name;
	void (*handle)(struct us_vm *vm, const struct us_qmp_event *event);
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
	struct us_vm *vm = userdata;

	/* What came before adoption is contained in its answers. */
	if (!vm->adopted)
		return;
	us_qemu_ref(vm);
	us_qemu_emit(vm, (struct us_vmm_event){
			       .type = US_VMM_TRACE,
			       .name = event->name,
			       .age_usec = event->age_usec,
		       });
	for (size_t i = 0; i < US_ARRAY_LENGTH(event_table); i++)
		if (strcmp(event_table[i].name, event->name) == 0 && !vm->freed)
			event_table[i].handle(vm, event);
	us_qemu_unref(vm);
}

static void on_closed(void *userdata, int error, const char *why)
{
	struct us_vm *vm = userdata;

	us_qemu_ref(vm);
	if (error == -ETIMEDOUT)
		fail(vm, error);
	else
		lose(vm, error, why, false);
	us_qemu_unref(vm);
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
static void take_pid(struct us_vm *vm, int fd)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	int before = vm->pid;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return;
	vm->pid = peer.pid;
	us_close(vm->pidfd);
	vm->pidfd = open_pidfd(fd, peer.pid);
	if (!vm->was_adopted || vm->state == US_VM_GONE || before == vm->pid)
		return;
	vm->state = US_VM_GONE;
	us_qemu_emit(vm, (struct us_vmm_event){
			       .type = US_VMM_LOST,
			       .exited = true,
			       .reason = "QEMU ended, and another one listens in its place",
		       });
}

static void try_connect(struct us_vm *vm)
{
	US_CLEANUP(us_closep) int fd = -1;
	int r = us_connect_unix(vm->path, &fd);

	if (r == 0) {
		take_pid(vm, fd);
		if (vm->freed)
			return;
		r = us_qmp_new(&vm->qmp, vm->loop, fd, &qmp_handler, vm);
		fd = -1;
	}
	if (r < 0)
		fail(vm, r);
}

static void on_timer(void *userdata)
{
	struct us_vm *vm = userdata;

	us_qemu_ref(vm);
	if (!vm->qmp) {
		try_connect(vm);
	} else {
		us_qemu_standby_recheck(vm);
		if (!vm->transfer_events && vm->transfer == US_TRANSFER_ACTIVE)
			us_qemu_transfer_recheck(vm);
		us_qemu_schedule(vm);
	}
	us_qemu_unref(vm);
}

void us_vmm_connect(struct us_vm *vm)
{
	if (vm->qmp)
		return;
	vm->was_adopted = false;
	vm->lost_error = NEVER_LOST;
	vm->backoff_usec = BACKOFF_USEC;
	us_timer_set(&vm->timer, 0);
}

int us_vmm_new(struct us_vm **ret_vm, sd_event *loop, const char *name, const char *monitor_path,
	      const struct us_vmm_handler *handler, void *userdata)
{
	struct us_vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return -ENOMEM;
	vm->loop = loop;
	vm->pidfd = -1;
	vm->listen_fd = -1;
	vm->handler = handler;
	vm->userdata = userdata;
	us_list_init(&vm->standbys);
	us_list_init(&vm->primaries);
	us_list_init(&vm->plugs);
	us_list_init(&vm->claims);
	vm->name = strdup(name);
	vm->path = strdup(monitor_path);
	r = us_timer_init(&vm->timer, loop, on_timer, vm);
	if (!vm->name || !vm->path || r < 0) {
		destroy(vm);
		return r < 0 ? r : -ENOMEM;
	}
	us_vmm_connect(vm);
	*ret_vm = vm;
	return 0;
}

void us_vmm_free(struct us_vm *vm)
{
	if (!vm || vm->freed)
		return;
	vm->freed = true;
	us_qemu_ref(vm);
	forget_connection(vm);
	us_qemu_unref(vm);
}

bool us_vmm_is_adopted(const struct us_vm *vm)
{
	return vm->adopted;
}

enum us_vm_state us_vm_state(const struct us_vm *vm)
{
	return vm->state;
}

const char *us_vmm_version(const struct us_vm *vm)
{
	return vm->version;
}

int us_vmm_pid(const struct us_vm *vm)
{
	return vm->pid;
}

int us_vmm_pidfd(const struct us_vm *vm)
{
	return vm->pidfd;
}
