/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/world/ctl.h"
#include "lab/world/proc.h"
#include "util/clock.h"

#define READY_TIMEOUT_USEC (60 * US_USEC_PER_SEC)
#define CALL_TIMEOUT_USEC (60 * US_USEC_PER_SEC)

void us_lab_daemon_socket(const struct us_lab *lab, enum us_lab_host host, char path[200])
{
	snprintf(path, 200, "%s/%s.understudy", lab->dir, us_lab_host_name(host));
}

void us_lab_daemon_destination(const struct us_lab *lab, enum us_lab_host host, char target[210])
{
	char path[200];

	us_lab_daemon_socket(lab, host, path);
	if (lab->options.hosts == US_LAB_HOST_KIND_MACHINE)
		snprintf(target, 210, "ssh://root@10.83.0.%d", host + 1);
	else
		snprintf(target, 210, "unix:%s", path);
}

void us_lab_daemon_crash_path(const struct us_lab *lab, enum us_lab_host host, char path[200])
{
	snprintf(path, 200, "%s/%s.crash-at", lab->dir, us_lab_host_name(host));
}

/* What the daemon tells its service manager, sd_notify(3); here that is us. */
static int notify_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fd = us_close(fd);
	return fd;
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
	bool ready;
};

/* What a machine's daemon notifies does not come here: it is ready when it answers. */
static bool answers(const struct starting *starting)
{
	static const char *const argv[] = { "status", NULL };

	return starting->lab->options.hosts == US_LAB_HOST_KIND_MACHINE &&
	       !us_lab_cli_run(starting->lab, starting->host, argv, NULL, NULL);
}

static bool is_ready_or_gone(void *userdata)
{
	struct starting *starting = userdata;
	bool has_ended = us_lab_process_has_ended(starting->pid);

	starting->ready = starting->ready || (!has_ended && answers(starting));
	return starting->ready || has_ended;
}

static int daemon_spawn(struct us_lab *lab, enum us_lab_host host, const char *record,
			pid_t *ret_pid)
{
	char socket[200], state[200], address[20];
	const char *const argv[] = { lab->daemon,   "--socket", socket,
				     "--state-dir", state,	"--migration-address",
				     address,	    NULL };
	struct us_lab_process_spec spec = { .argv = argv,
				     .place = us_lab_host_name(host),
				     .record = record,
				     .stdout_fd = -1,
				     .extra_fd = -1 };

	snprintf(address, sizeof(address), "10.83.0.%d", host + 1);
	if (lab->options.hosts == US_LAB_HOST_KIND_MACHINE) { /* as it is installed */
		spec.argv = (const char *const[]){ "understudyd", "--migration-address", address,
						   NULL };
		return us_lab_process_spawn(lab, &spec, ret_pid);
	}
	us_lab_daemon_socket(lab, host, socket);
	snprintf(state, sizeof(state), "%s/%s.state", lab->dir, us_lab_host_name(host));
	mkdir(state, 0755);
	return us_lab_process_spawn(lab, &spec, ret_pid);
}

int us_lab_daemon_start(struct us_lab *lab, enum us_lab_host host, struct us_reason *reason)
{
	US_CLEANUP(us_closep) int notify = -1;
	char path[108], crash_path[200], record[40];
	struct starting starting = { .lab = lab, .host = host };
	sd_event_source *source = NULL;
	int r;

	snprintf(record, sizeof(record), "%s-understudyd", us_lab_host_name(host));
	snprintf(path, sizeof(path), "%.80s/%s.notify", lab->dir, us_lab_host_name(host));
	notify = notify_socket(path);
	if (notify < 0)
		return -errno;
	us_lab_daemon_crash_path(lab, host, crash_path);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("UNDERSTUDY_CRASH_AT", crash_path, 1);
	us_lab_process_end(lab, record); /* or what is left of it */
	r = daemon_spawn(lab, host, record, &starting.pid);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("UNDERSTUDY_CRASH_AT");
	if (!r)
		r = sd_event_add_io(lab->loop, &source, notify, EPOLLIN, on_notify,
				    &starting.ready);
	if (r >= 0)
		r = us_lab_poll(lab, is_ready_or_gone, &starting, READY_TIMEOUT_USEC);
	sd_event_source_disable_unref(source);
	if (r || !starting.ready)
		return us_refuse(reason, "understudyd on %s did not get ready: see %s/%s.log",
				 us_lab_host_name(host), lab->dir, record);
	return 0;
}

static void on_line(void *userdata, char *text, size_t length)
{
	struct us_call *call = userdata;
	json_t *line = json_loadb(text, length, 0, NULL);

	if (!line) {
		if (length)
			snprintf(call->words, sizeof(call->words), "%s", text);
		return;
	}
	json_decref(call->last);
	call->last = json_incref(line);
	if (call->on_line)
		call->on_line(call, line);
	json_decref(line);
}

static void on_closed(void *userdata, int error)
{
	struct us_call *call = userdata;

	us_stream_free(US_STEAL(call->output));
}

static int on_exit_status(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct us_call *call = userdata;

	call->status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
	call->exited = true;
	return 0;
}

int us_lab_cli_start(struct us_call *call, struct us_lab *lab, enum us_lab_host host,
		  void (*on_line_)(struct us_call *call, json_t *line), void *userdata,
		  const char *const argv[])
{
	static const struct us_stream_handler handler = { on_line, on_closed };
	char socket_path[200], target[210];
	const char *full[40] = { lab->cli, "-H", target, "--json" };
	struct us_lab_process_spec spec = { .argv = full, .extra_fd = -1, .errors_too = true };
	int sockets[2], r;

	*call = (struct us_call){
		.lab = lab, .host = host, .on_line = on_line_, .userdata = userdata
	};
	us_lab_daemon_socket(lab, host, socket_path);
	snprintf(target, sizeof(target), "unix:%s", socket_path);
	for (size_t i = 0; argv[i] && i + 5 < US_ARRAY_LENGTH(full); i++)
		full[4 + i] = argv[i];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	spec.stdout_fd = sockets[1];
	r = us_lab_process_spawn(lab, &spec, &call->pid);
	close(sockets[1]);
	if (r) {
		close(sockets[0]);
		return r;
	}
	r = sd_event_add_child(lab->loop, &call->child, call->pid, WEXITED, on_exit_status, call);
	if (r < 0)
		return r;
	return us_stream_new(&call->output, lab->loop, sockets[0], '\n',
			     (struct us_stream_limits){ 1 << 20, 1 << 20 }, &handler, call);
}

bool us_lab_cli_is_done(const struct us_call *call)
{
	return call->exited && !call->output;
}

static bool is_done(void *userdata)
{
	return us_lab_cli_is_done(userdata);
}

int us_lab_cli_wait(struct us_call *call, uint64_t timeout_usec, struct us_reason *reason)
{
	int r = us_lab_wait(call->lab, is_done, call, timeout_usec);

	if (r)
		return us_refuse(reason, "understudy on %s has not ended: %s",
				 us_lab_host_name(call->host), us_strerror(r));
	if (call->status == 0)
		return 0;
	return us_refuse(reason, "%s: exit status %d: %s", us_lab_host_name(call->host),
			 call->status, call->words);
}

void us_lab_cli_deinit(struct us_call *call)
{
	if (call->pid > 0 && !call->exited)
		kill(call->pid, SIGTERM);
	call->child = sd_event_source_disable_unref(call->child);
	if (call->pid > 0 && !call->exited)
		waitpid(call->pid, NULL, 0);
	us_stream_free(US_STEAL(call->output));
	json_decref(US_STEAL(call->last));
	call->pid = 0;
}

int us_lab_cli_run(struct us_lab *lab, enum us_lab_host host, const char *const argv[], json_t **ret_output,
	   struct us_reason *reason)
{
	struct us_call call;
	int r = us_lab_cli_start(&call, lab, host, NULL, NULL, argv);

	if (!r)
		r = us_lab_cli_wait(&call, CALL_TIMEOUT_USEC, reason);
	if (!r && ret_output)
		*ret_output = json_incref(call.last);
	us_lab_cli_deinit(&call);
	return r;
}
