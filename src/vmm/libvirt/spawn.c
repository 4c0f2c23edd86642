/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/error.h"
#include "vmm/libvirt/spawn.h"

enum {
	STATUS_FAILED = 127,
	ENVIRONMENT_MAX = 256,
};

/*
 * The environment of the helper, for libvirt and ssh(1), without what the service manager told the
 * daemon alone: the helper neither reports for it nor has its sockets.
 */
static void inherit(char *environment[ENVIRONMENT_MAX])
{
	static const char *const own[] = { "NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_",
					   "FDSTORE=", "CREDENTIALS_DIRECTORY=" };
	size_t count = 0, i;

	for (char **variable = environ; *variable && count < ENVIRONMENT_MAX - 1; variable++) {
		for (i = 0; i < US_ARRAY_LENGTH(own); i++)
			if (strncmp(*variable, own[i], strlen(own[i])) == 0)
				break;
		if (i == US_ARRAY_LENGTH(own))
			environment[count++] = *variable;
	}
	environment[count] = NULL;
}

/* In the child: becomes the helper, with @fd as its standard input. */
static void run(const char *program, const char *uri, int fd, pid_t parent, char **environment)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent && dup2(fd, STDIN_FILENO) == STDIN_FILENO)
		execle(program, program, uri, NULL, environment);
	_exit(STATUS_FAILED);
}

int us_libvirt_spawn(const char *program, const char *uri, pid_t *ret_pid, int *ret_fd)
{
	char *environment[ENVIRONMENT_MAX];
	pid_t parent = getpid(), pid;
	int pair[2];

	if (access(program, X_OK) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	inherit(environment);
	/* vfork(2) returns after exec: the child never holds this process's locks on its own. */
	pid = vfork();
	if (pid == 0)
		run(program, uri, pair[1], parent, environment);
	us_close(pair[1]);
	if (pid < 0) {
		us_close(pair[0]);
		return -errno;
	}
	*ret_pid = pid;
	*ret_fd = pair[0];
	return 0;
}

/* ---- The end ---- */

static int on_ended(sd_event_source *source, int pidfd, uint32_t events, void *userdata)
{
	waitpid((pid_t)(intptr_t)userdata, NULL, 0);
	sd_event_source_set_floating(source, false);
	return 0;
}

void us_libvirt_kill(sd_event *loop, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	sd_event_source *source = NULL;

	kill(-pid, SIGKILL);
	if (pidfd < 0 ||
	    sd_event_add_io(loop, &source, pidfd, EPOLLIN, on_ended, (void *)(intptr_t)pid) < 0) {
		us_close(pidfd);
		waitpid(pid, NULL, 0);
		return;
	}
	sd_event_source_set_io_fd_own(source, true);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
}
