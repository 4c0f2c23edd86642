/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "api/transport.h"
#include "api/uri.h"
#include "util/cleanup.h"
#include "util/unix-socket.h"

/* Exit statuses of `understudy proxy`, of the shell on the other host, and of ssh. */
enum {
	STATUS_NO_DAEMON = 3,
	STATUS_NO_PROGRAM = 127,
	STATUS_SSH = 255,
};

/* uri.h admits no argument that ssh or a shell could take for an option or a command. */
static void exec_ssh(const struct us_uri *uri)
{
	/* The service cannot write to known_hosts, and ssh would complain in the log. */
	const char *argv[16] = { "ssh", "-o", "BatchMode=yes", "-o", "UpdateHostKeys=no", "-T" };
	size_t n = 6;
	char port[8];

	snprintf(port, sizeof(port), "%u", uri->port);
	if (uri->port) {
		argv[n++] = "-p";
		argv[n++] = port;
	}
	if (uri->user[0]) {
		argv[n++] = "-l";
		argv[n++] = uri->user;
	}
	argv[n++] = uri->host;
	argv[n++] = "understudy";
	argv[n++] = "proxy";
	execvp("ssh", (char *const *)argv);
}

/* In the child: becomes ssh, with @fd as its input and output. */
static void run_ssh(const struct us_uri *uri, int fd, pid_t parent)
{
	sigset_t none;

	/* The loop blocks signals; ssh needs them. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* Ctrl-C at the terminal is for this program only; ssh ends with this program. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_SSH); /* the parent has ended already */
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(STATUS_SSH);
	exec_ssh(uri);
	_exit(STATUS_SSH);
}

static int open_ssh(struct us_transport *transport, const struct us_uri *uri)
{
	US_CLEANUP(us_closep) int theirs = -1;
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	transport->fd = pair[0];
	theirs = pair[1];
	/* Until exec, the child has the descriptors of this process, and so the lock of the state
	 * directory: if this process ended meanwhile, the next daemon would be refused. vfork(2)
	 * returns after exec. */
	transport->pid = vfork();
	if (transport->pid < 0)
		return -errno;
	if (transport->pid == 0)
		run_ssh(uri, theirs, parent);
	transport->pidfd = syscall(SYS_pidfd_open, transport->pid, 0);
	return transport->pidfd < 0 ? -errno : 0;
}

int us_transport_open(struct us_transport *ret_transport, const char *host)
{
	struct us_uri uri;
	int r;

	*ret_transport = (struct us_transport){ .fd = -1, .pidfd = -1, .pid = -1 };
	if (us_uri_parse(host, &uri, NULL) != 0)
		return -EINVAL;
	r = uri.type == US_URI_UNIX ? us_connect_unix(uri.path, &ret_transport->fd)
				    : open_ssh(ret_transport, &uri);
	if (r < 0)
		us_transport_close(ret_transport, NULL);
	return r;
}

/* ---- The end of ssh ---- */

/* ssh has ended: the loop frees the source, which closes the descriptor. */
static int on_killed(sd_event_source *source, int pidfd, uint32_t events, void *userdata)
{
	siginfo_t info;

	waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG);
	sd_event_source_set_floating(source, false);
	return 0;
}

/* Takes @pidfd. Without a source, the process that inherits ssh collects it. */
static void collect_later(sd_event *loop, int pidfd)
{
	sd_event_source *source;

	if (!loop || pidfd < 0 ||
	    sd_event_add_io(loop, &source, pidfd, EPOLLIN, on_killed, NULL) < 0) {
		us_close(pidfd);
		return;
	}
	sd_event_source_set_io_fd_own(source, true);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
}

void us_transport_close(struct us_transport *transport, sd_event *loop)
{
	transport->fd = us_close(transport->fd);
	if (transport->pid > 0) {
		/* Nothing is lost if ssh ends at once. */
		kill(transport->pid, SIGKILL);
		collect_later(loop, transport->pidfd);
		transport->pidfd = -1;
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
