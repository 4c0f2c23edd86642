/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "api/transport.h"
#include "util/cleanup.h"
#include "util/stream.h"

#define UNIX_PREFIX "unix:"
#define SSH_PREFIX "ssh://"

/* What the far shell, ssh and `understudy proxy` mean by their exit status. */
enum {
	STATUS_NO_DAEMON = 3,
	STATUS_NO_PROGRAM = 127,
	STATUS_SSH = 255,
};

/* "[USER@]HOST"; a name that begins with '-' would be an option to what ssh runs in turn. */
static bool is_ssh_target(const char *target)
{
	const char *at = strrchr(target, '@');
	const char *name = at ? at + 1 : target;

	if (!*name || *name == '-' || *target == '-' || *target == '@')
		return false;
	for (const char *c = target; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == '/')
			return false;
	return true;
}

/* In the child: becomes ssh, with @fd as its input and output. */
static void run_ssh(const char *host, int fd, pid_t parent)
{
	sigset_t none;

	/* Our signals are blocked for the loop; ssh wants its own. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* Ctrl-C at our terminal is ours to answer; what ends ssh is our end. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_SSH); /* it died before we could ask to be told */
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(STATUS_SSH);
	execlp("ssh", "ssh", "-o", "BatchMode=yes", "-T", host, "understudy", "proxy", NULL);
	_exit(STATUS_SSH);
}

static int open_ssh(struct us_transport *transport, const char *host)
{
	US_CLEANUP(us_closep) int theirs = -1;
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	transport->fd = pair[0];
	theirs = pair[1];
	transport->pid = fork();
	if (transport->pid < 0)
		return -errno;
	if (transport->pid == 0)
		run_ssh(host, theirs, parent);
	transport->pidfd = syscall(SYS_pidfd_open, transport->pid, 0);
	return transport->pidfd < 0 ? -errno : 0;
}

int us_transport_open(struct us_transport *ret_transport, const char *host)
{
	struct us_transport transport = { .fd = -1, .pidfd = -1, .pid = -1 };
	int r = -EINVAL;

	if (strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		r = us_connect_unix(host + strlen(UNIX_PREFIX), &transport.fd);
	else if (strncmp(host, SSH_PREFIX, strlen(SSH_PREFIX)) == 0 &&
		 is_ssh_target(host + strlen(SSH_PREFIX)))
		r = open_ssh(&transport, host);
	if (r < 0) {
		us_transport_close(&transport);
		return r;
	}
	*ret_transport = transport;
	return 0;
}

void us_transport_close(struct us_transport *transport)
{
	transport->fd = us_close(transport->fd);
	if (transport->pid > 0) {
		/* It holds nothing worth a farewell, and a killed child is collected at once. */
		kill(transport->pid, SIGKILL);
		waitpid(transport->pid, NULL, 0);
	}
	transport->pid = -1;
	transport->pidfd = us_close(transport->pidfd);
}

const char *us_transport_collect(struct us_transport *transport)
{
	int status;

	if (transport->pid <= 0 || waitpid(transport->pid, &status, WNOHANG) != transport->pid)
		return NULL;
	transport->pid = -1;
	if (!WIFEXITED(status))
		return "ssh was killed";
	switch (WEXITSTATUS(status)) {
	case STATUS_NO_DAEMON:
		return "no understudyd runs there: start it with systemctl start understudyd";
	case STATUS_NO_PROGRAM:
		return "understudy is not installed there";
	case STATUS_SSH:
		return "ssh could not connect: see that `ssh -o BatchMode=yes` to it works";
	}
	return "the connection through ssh ended";
}
