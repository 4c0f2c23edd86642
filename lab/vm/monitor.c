/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection to the lab's own monitor of QEMU. */
#include <errno.h>
#include <sys/socket.h>

#include "lab/vm/vm-private.h"
#include "lab/world/process.h"
#include "lab/world/socket.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define CONNECT_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

int us_lab_vm_monitor_open(const struct us_lab_vm *vm, int *ret_ours, int *ret_theirs)
{
	char path[US_LAB_PATH];
	int sockets[2];

	*ret_theirs = -1;
	if (us_lab_has_machines(vm->lab))
		return us_lab_socket_listen(
			us_lab_host_path(vm->lab, vm->options.host, US_LAB_SOCKET_MONITOR, path),
			ret_ours);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	*ret_ours = sockets[0];
	*ret_theirs = sockets[1];
	return 0;
}

struct awaited {
	pid_t pid;
	bool is_connected;
};

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	((struct awaited *)userdata)->is_connected = true;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static bool is_connected_or_ended(void *userdata)
{
	struct awaited *awaited = userdata;

	return awaited->is_connected || us_lab_process_has_ended(awaited->pid);
}

int us_lab_vm_monitor_connect(const struct us_lab_vm *vm, int ours, pid_t pid, int *ret_fd)
{
	struct awaited awaited = { .pid = pid };
	sd_event_source *source = NULL;
	int r;

	*ret_fd = ours;
	if (!us_lab_has_machines(vm->lab))
		return 0;
	r = sd_event_add_io(vm->lab->loop, &source, ours, EPOLLIN, on_connection, &awaited);
	if (r >= 0)
		r = us_lab_poll(vm->lab, is_connected_or_ended, &awaited, CONNECT_TIMEOUT_USEC);
	sd_event_source_disable_unref(source);
	*ret_fd = awaited.is_connected ? accept4(ours, NULL, NULL, SOCK_CLOEXEC) : -1;
	us_close(ours);
	return r ? r : *ret_fd < 0 ? -ECHILD : 0;
}
