/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lab/world/cli.h"
#include "lab/world/daemon.h"
#include "lab/world/libvirt.h"
#include "lab/world/machine.h"
#include "lab/world/process.h"
#include "lab/world/socket.h"
#include "util/clock.h"

#define READY_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

void us_lab_daemon_destination(const struct us_lab *lab, enum us_lab_host host, char target[210])
{
	char path[US_LAB_PATH];

	if (us_lab_has_machines(lab))
		snprintf(target, 210, "ssh://root@10.83.0.%d", host + 1);
	else
		snprintf(target, 210, "unix:%s",
			 us_lab_host_path(lab, host, US_LAB_SOCKET_DAEMON, path));
}

const char *us_lab_daemon_crash_path(const struct us_lab *lab, enum us_lab_host host,
				     char path[US_LAB_PATH])
{
	return us_lab_host_path(lab, host, "crash-at", path);
}

static int on_notify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = 0;
	if (strstr(text, "READY=1"))
		*(bool *)userdata = true;
	return 0;
}

struct starting {
	struct us_lab *lab;
	enum us_lab_host host;
	pid_t pid;
	bool is_ready;
};

/* A daemon in a host machine cannot notify us; it is ready once it answers. */
static bool answers(const struct starting *starting)
{
	static const char *const argv[] = { "status", NULL };

	return us_lab_has_machines(starting->lab) &&
	       !us_lab_cli_run(starting->lab, starting->host, argv, NULL, NULL);
}

static bool is_ready_or_gone(void *userdata)
{
	struct starting *starting = userdata;
	bool has_ended = us_lab_process_has_ended(starting->pid);

	starting->is_ready = starting->is_ready || (!has_ended && answers(starting));
	return starting->is_ready || has_ended;
}

/* On a host machine the installed daemon is started as its package does. */
static int spawn(struct us_lab *lab, enum us_lab_host host, const char *record, pid_t *ret_pid)
{
	char socket[US_LAB_PATH], state[US_LAB_PATH], address[20], uri[US_LAB_LIBVIRT_URI];
	bool has_libvirt = us_lab_has_libvirt(lab);
	const char *const here[] = { lab->programs.daemon,
				     "--socket",
				     socket,
				     "--state-dir",
				     state,
				     "--migration-address",
				     address,
				     "--libvirt",
				     has_libvirt ? uri : "none",
				     lab->programs.libvirt[0] ? "--libvirt-helper" : NULL,
				     lab->programs.libvirt,
				     NULL };
	const char *const installed[] = { "understudyd",
					  "--migration-address",
					  address,
					  "--trust-migration-network",
					  "--libvirt",
					  has_libvirt ? uri : "none",
					  "--libvirt-helper",
					  US_LAB_MACHINE_HELPER,
					  NULL };

	us_lab_libvirt_uri(lab, host, uri);
	snprintf(address, sizeof(address), "10.83.0.%d", host + 1);
	us_lab_host_path(lab, host, US_LAB_SOCKET_DAEMON, socket);
	us_lab_host_path(lab, host, "state", state);
	if (!us_lab_has_machines(lab))
		mkdir(state, 0755);
	return us_lab_process_start(lab, us_lab_host_name(host), record,
				    us_lab_has_machines(lab) ? installed : here, ret_pid);
}

int us_lab_daemon_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int notify = -1;
	char path[US_LAB_PATH], crash_path[US_LAB_PATH], record[40];
	struct starting starting = { .lab = lab, .host = host };
	sd_event_source *source = NULL;
	int r;

	us_lab_host_record(host, US_LAB_RECORD_DAEMON, record);
	us_lab_host_path(lab, host, "notify", path);
	r = us_lab_socket_bind(path, SOCK_DGRAM, &notify);
	if (r)
		return r;
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("UNDERSTUDY_CRASH_AT", us_lab_daemon_crash_path(lab, host, crash_path), 1);
	us_lab_process_end(lab, record); /* one that runs, or its record */
	r = spawn(lab, host, record, &starting.pid);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("UNDERSTUDY_CRASH_AT");
	if (!r)
		r = sd_event_add_io(lab->loop, &source, notify, EPOLLIN, on_notify,
				    &starting.is_ready);
	if (r >= 0)
		r = us_lab_poll(lab, is_ready_or_gone, &starting, READY_TIMEOUT_USEC);
	sd_event_source_disable_unref(source);
	if (r || !starting.is_ready) {
		us_refuse(reason, "understudyd on %s did not get ready", us_lab_host_name(host));
		return us_advise(reason, "see %s/%s.log", lab->dir, record);
	}
	return 0;
}
