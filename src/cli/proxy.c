/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudy proxy: makes stdin and stdout a connection to the local daemon. ssh runs it on another
 * host.
 *
 * With --peer, it first tells the daemon that this connection is from another daemon; the daemon
 * then allows only the calls of a migration to this host. The program at the other end of stdin
 * cannot prevent that.
 *
 * Before it copies bytes, it tells the daemon at which address this host was reached. It does not
 * interpret the bytes. Writing blocks: the daemon always reads, and drops a client that does not.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "cli/cli.h"
#include "util/unix-socket.h"

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			poll(&room, 1, -1);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			length -= n;
		}
	}
	return 0;
}

/* Copies the bytes that can be read now. Returns 0, 1 at the end, or -errno. */
static int copy(int from, int to)
{
	char data[16 * 1024];
	ssize_t n = read(from, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	return n == 0 ? 1 : write_all(to, data, n);
}

/*
 * Tells the daemon at which address ssh reached this host: the third word of SSH_CONNECTION
 * (sshd(8)). A migration to this host listens there. The call has no answer, and an older daemon
 * ignores it.
 */
static int tell_address(int fd)
{
	const char *connection = getenv("SSH_CONNECTION");
	US_CLEANUP(us_freep) char *text = NULL;
	json_t *call;
	char address[64];

	if (!connection || sscanf(connection, "%*s %*s %63s", address) != 1)
		return 0;
	call = json_pack("{s:s, s:{s:s}, s:b}", "method", "org.understudy.Control.SetAddress",
			 "parameters", "address", address, "oneway", true);
	text = call ? json_dumps(call, JSON_COMPACT) : NULL;
	json_decref(call);
	return text ? write_all(fd, text, strlen(text) + 1) : 0; /* with its NUL */
}

/* Copies until the daemon closes; after the end of stdin the daemon can finish its answer. */
static int copy_both(int fd)
{
	struct pollfd ends[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};

	for (;;) {
		int r = 0;

		if (poll(ends, US_ARRAY_LENGTH(ends), -1) < 0 && errno != EINTR)
			return -errno;
		if (ends[1].revents)
			r = copy(fd, STDOUT_FILENO);
		if (r != 0)
			return r < 0 ? r : 0;
		if (ends[0].revents)
			r = copy(STDIN_FILENO, fd);
		if (r < 0)
			return r;
		if (r > 0) {
			shutdown(fd, SHUT_WR);
			ends[0].fd = -1;
		}
	}
}

/* Reads one message, up to its NUL; byte by byte, because the rest is for the other side. */
static int read_message(int fd, char *text, size_t size)
{
	for (size_t length = 0; length < size; length++) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t n;

		while ((n = read(fd, text + length, 1)) < 0 && (errno == EAGAIN || errno == EINTR))
			poll(&ready, 1, -1);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		if (text[length] == '\0')
			return 0;
	}
	return -EMSGSIZE;
}

/* Gives up rights. Fails if the daemon does not know this call, so no right remains. */
static int become_peer(int fd)
{
	static const char call[] = "{\"method\":\"org.understudy.Control.BecomePeer\"}";
	US_CLEANUP(json_decrefp) json_t *answer = NULL;
	char text[1024];
	int r = write_all(fd, call, sizeof(call));

	if (r == 0)
		r = read_message(fd, text, sizeof(text));
	if (r < 0)
		return r;
	answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(answer) && !json_object_get(answer, "error") ? 0 : -EOPNOTSUPP;
}

enum us_exit us_cli_proxy(struct us_cli *cli)
{
	US_CLEANUP(us_closep) int fd = -1;
	int r;

	if (strncmp(cli->host, "unix:", 5) != 0)
		return us_cli_usage(cli, "proxy: %s is not a daemon of this host", cli->host);
	r = us_connect_unix(cli->host + 5, &fd);
	if (r < 0)
		return us_cli_no_daemon(cli, r);
	r = tell_address(fd);
	if (r == 0 && us_args_has(&cli->args, "peer"))
		r = become_peer(fd);
	if (r < 0)
		return us_cli_fail(
			cli, US_EXIT_FAILED,
			"proxy: %s takes no peers (%s): update understudyd, and restart it",
			cli->host, us_strerror(r));
	r = copy_both(fd);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return us_cli_fail(cli, US_EXIT_FAILED, "proxy: %s", us_strerror(r));
	return US_EXIT_DONE;
}
