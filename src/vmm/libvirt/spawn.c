/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
