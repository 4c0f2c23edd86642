/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/unix-socket.h"
#include "vmm/libvirt/libvirt.h"
#include "vmm/qemu/connection.h"
#include "vmm/qemu/domain.h"
#include "vmm/qemu/primary.h"
#include "vmm/qemu/qemu-private.h"
#include "vmm/qemu/standby.h"
#include "vmm/qemu/state.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum {
	BACKOFF_USEC = 100 * 1000,
	BACKOFF_MAX_USEC = 5 * 1000 * 1000,
	/* After a connection that lasted so long, the next attempt is made without back-off. */
	GOOD_LIFE_USEC = 5 * 1000 * 1000,
	NEVER_LOST = 1, /* no error of a connection: those are 0 or negative */
};

/* ---- The end ---- */

void us_qemu_connection_close(struct us_vmm *vmm, bool exited)
{
	vmm->adopted = false;
	us_qemu_state_forget(vmm, false);
	us_vmm_stop_listening(vmm);
	us_qmp_free(US_STEAL(vmm->qmp));
	us_timer_stop(&vmm->reconnect);
	if (!exited)
		return;
	us_qemu_state_forget(vmm, true);
	/* The domain's next process is asked for when it is adopted; a reservation needs none. */
	if (vmm->domain) {
		vmm->pid = 0;
		vmm->pidfd = us_close(vmm->pidfd);
	}
}

/* Ends it: the VM cannot be adopted. */
static void refuse(struct us_vmm *vmm, const struct us_reason *cause, bool exited)
{
	struct us_reason reason;

	us_refuse_because(&reason, cause, "%s", vmm->path);
	us_qemu_connection_close(vmm, exited);
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_REFUSED, .exited = exited, .reason = &reason });
}

/* Ends it, and tries again. @error (0 or -errno) tells one failure from another. */
static void lose(struct us_vmm *vmm, int error, const struct us_reason *cause, bool exited)
{
	bool is_new = vmm->adopted || error != vmm->lost_error;
	struct us_reason reason;

	us_refuse_because(&reason, cause, "%s", vmm->path);
	if (vmm->adopted && us_now_usec() - vmm->adopted_usec > GOOD_LIFE_USEC)
		vmm->backoff_usec = BACKOFF_USEC;
	us_qemu_connection_close(vmm, exited);
	vmm->lost_error = error;
	us_timer_set(&vmm->reconnect, us_now_usec() + vmm->backoff_usec);
	vmm->backoff_usec *= 2;
	if (vmm->backoff_usec > BACKOFF_MAX_USEC)
		vmm->backoff_usec = BACKOFF_MAX_USEC;
	if (is_new)
		us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_LOST,
							 .exited = exited,
							 .reason = &reason });
}

/* A failure to connect. */
static void fail(struct us_vmm *vmm, int error)
{
	bool exited = error == -ENOENT || error == -ECONNREFUSED;
	bool is_held = error == -ETIMEDOUT || error == -EAGAIN;
	struct us_reason reason;

	if (error == -ENOENT)
		us_refuse(&reason, "no such socket");
	else if (error == -ECONNREFUSED)
		us_refuse(&reason, "no QEMU listens there");
	else if (error == -EOPNOTSUPP)
		us_refuse(&reason, "this host's Understudy has no support for libvirt");
	else if (is_held)
		us_refuse(&reason, vmm->domain ? "libvirt does not answer" : "no greeting");
	else
		us_refuse(&reason, "%s", us_strerror(error));
	if (error == -EOPNOTSUPP)
		us_advise(&reason, "install the package understudy-libvirt");
	else if (vmm->domain)
		us_advise(&reason, "does virsh -c URI list answer there?");
	else if (exited)
		us_advise(&reason, "start QEMU with -qmp unix:PATH,server=on,wait=off");
	else if (is_held)
		us_advise(&reason,
			  "the monitor socket is held by another client (give Understudy one of "
			  "its own: -qmp unix:PATH,server=on,wait=off), or QEMU is stopped or "
			  "still starting");
	if (vmm->was_adopted)
		lose(vmm, error, &reason, exited);
	else
		refuse(vmm, &reason, exited);
}

void us_qemu_connection_on_closed(void *userdata, int error, const struct us_reason *reason)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (error == -ETIMEDOUT)
		fail(vmm, error);
	else if (error == -EHOSTDOWN && !vmm->was_adopted)
		refuse(vmm, reason, true);
	else
		lose(vmm, error, reason, error == -EHOSTDOWN);
	us_qemu_unref(vmm);
}

/* ---- The process behind it ---- */

/*
 * The kernel makes the descriptor from the peer itself (Linux 6.5). Before, it is made from the
 * number, which another process may have got if the peer ended meanwhile. Then nobody answers at
 * this socket, and the descriptor is closed with the connection.
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
 * Learns which process listens now. If it is another one than before, the QEMU that was known has
 * ended, whether or not a connection was refused in between.
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
	us_qemu_state_forget(vmm, true);
	us_refuse(&reason, "QEMU ended, and another one listens in its place");
	us_qemu_emit(vmm, (struct us_vmm_event){
				  .type = US_VMM_LOST, .exited = true, .reason = &reason });
}

/* ---- Connecting ---- */

static void try_connect(struct us_vmm *vmm)
{
	US_CLEANUP(us_closep) int fd = -1;
	int r = vmm->domain ? us_libvirt_open(vmm->libvirt, vmm->path, &fd)
			    : us_connect_unix(vmm->path, &fd);

	if (vmm->domain && !vmm->uses_helper)
		vmm->uses_helper = us_libvirt_use(vmm->libvirt, vmm->path);
	if (r == 0) {
		if (!vmm->domain)
			take_pid(vmm, fd);
		if (vmm->freed)
			return;
		r = us_qmp_new(&vmm->qmp, vmm->loop, fd, vmm->qmp_handler, vmm);
		fd = -1;
	}
	if (r < 0)
		fail(vmm, r);
}

static void on_reconnect(void *userdata)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	try_connect(vmm);
	us_qemu_unref(vmm);
}

void us_vmm_connect(struct us_vmm *vmm)
{
	if (vmm->qmp)
		return;
	vmm->was_adopted = false;
	vmm->lost_error = NEVER_LOST;
	vmm->backoff_usec = BACKOFF_USEC;
	us_timer_set(&vmm->reconnect, 0);
}

/* ---- Adoption: the questions between the greeting and US_VMM_ADOPTED ---- */

static void adopt(struct us_vmm *vmm, const json_t *status)
{
	vmm->adopted = vmm->was_adopted = true;
	vmm->lost_error = 0;
	vmm->adopted_usec = us_now_usec();
	us_qemu_state_set_status(vmm, status);
	us_qemu_standby_forget(vmm);
	us_qemu_primary_forget(vmm);
	us_qemu_emit(vmm, (struct us_vmm_event){ .type = US_VMM_ADOPTED });
	if (!vmm->freed && vmm->adopted) {
		us_qemu_standby_recheck(vmm);
		us_qemu_state_schedule(vmm);
	}
}

static void on_events_set(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	/* QEMU refuses while a migration runs. */
	vmm->transfer_events = answer->r == 0;
}

static void on_transfer(void *userdata, const struct us_qmp_answer *answer)
{
	us_qemu_state_set_transfer(userdata, answer->value);
}

static void on_status(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;

	us_qemu_ref(vmm);
	if (!vmm->freed && answer->r == 0)
		adopt(vmm, answer->value);
	else if (!vmm->freed && answer->r != -ECONNRESET) /* the connection's end is reported */
		lose(vmm, -EPROTO, answer->reason, false);
	us_qemu_unref(vmm);
}

/* ---- The version ---- */

/* registers/registers.h and queue.h say why. */
static void set_version(struct us_vmm *vmm, const struct us_qmp_version *version)
{
	snprintf(vmm->version, sizeof(vmm->version), "%u.%u.%u", version->major, version->minor,
		 version->micro);
	vmm->may_ask_status = us_qmp_version_is_older(version, 10, 1);
	vmm->may_ask_queues = us_qmp_version_is_older(version, 11, 2);
}

static void on_version(void *userdata, const struct us_qmp_answer *answer)
{
	struct us_vmm *vmm = userdata;
	const json_t *qemu = json_object_get(answer->value, "qemu");
	const struct us_qmp_version version = {
		us_json_uint64(json_object_get(qemu, "major")),
		us_json_uint64(json_object_get(qemu, "minor")),
		us_json_uint64(json_object_get(qemu, "micro")),
	};

	if (vmm->freed || answer->r != 0)
		return;
	vmm->is_version_known = true;
	set_version(vmm, &version);
	us_qemu_standby_recheck(vmm);
}

/*
 * libvirt tells the version of a QEMU that waits for its guest only when the guest runs. Until
 * then, nothing is asked that some version cannot answer.
 */
void us_qemu_connection_ask_version(struct us_vmm *vmm)
{
	if (vmm->domain && vmm->qmp && !vmm->is_version_known)
		us_qmp_call(vmm->qmp, on_version, vmm, "query-version", NULL);
}

/* ---- Adoption, begun ---- */

static void ask(struct us_vmm *vmm)
{
	struct us_reason reason;

	if (vmm->domain)
		us_qemu_domain_query_process(vmm);
	us_qemu_connection_ask_version(vmm);
	if (us_qmp_call(vmm->qmp, on_events_set, vmm, "migrate-set-capabilities",
			"{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state",
			1) == 0 &&
	    us_qmp_call(vmm->qmp, on_transfer, vmm, "query-migrate", NULL) == 0 &&
	    us_qmp_call(vmm->qmp, on_status, vmm, "query-status", NULL) == 0)
		return;
	us_refuse(&reason, "%s", us_strerror(ENOMEM));
	lose(vmm, -ENOMEM, &reason, false);
}

void us_qemu_connection_on_ready(void *userdata, const struct us_qmp_version *version)
{
	struct us_vmm *vmm = userdata;
	struct us_reason reason;

	us_qemu_ref(vmm);
	set_version(vmm, version);
	if (vmm->domain)
		vmm->is_version_known = vmm->may_ask_status = vmm->may_ask_queues = false;
	if (us_qmp_version_is_older(version, 7, 2)) {
		us_refuse(&reason, "QEMU %s is too old: version 7.2 or later is needed",
			  vmm->version);
		us_advise(&reason, "start the VM with one");
		refuse(vmm, &reason, false);
	} else {
		ask(vmm);
	}
	us_qemu_unref(vmm);
}

/* ---- Construction ---- */

int us_qemu_connection_init(struct us_vmm *vmm, const struct us_qmp_handler *handler)
{
	vmm->qmp_handler = handler;
	vmm->pidfd = -1;
	return us_timer_init(&vmm->reconnect, vmm->loop, on_reconnect, vmm);
}

void us_qemu_connection_deinit(struct us_vmm *vmm)
{
	us_timer_deinit(&vmm->reconnect);
	us_close(vmm->pidfd);
	if (vmm->uses_helper)
		us_libvirt_unuse(vmm->libvirt, vmm->path);
}
