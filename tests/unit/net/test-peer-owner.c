/* SPDX-License-Identifier: BSD-3-Clause */
/* The user at the other end of a connection: over a Unix socket, and over the loopback. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/netlink/peer-owner.h"
#include "support/testbed.h"
#include "util/cleanup.h"

enum {
	OTHER_USER = 4242,
};

static void test_unix(void **state)
{
	uid_t uid = 1;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(us_peer_owner(fds[0], &uid), 0);
	assert_int_equal(uid, geteuid());
	close(fds[0]);
	close(fds[1]);
}

/* Connects as another user, and waits until the test has closed its end. */
static pid_t connect_as_other(const struct sockaddr *address, socklen_t size)
{
	pid_t pid = fork();

	if (pid == 0) {
		char byte;
		int fd = -1;

		if (setresuid(OTHER_USER, OTHER_USER, OTHER_USER) == 0)
			fd = socket(address->sa_family, SOCK_STREAM, 0);
		_exit(connect(fd, address, size) == 0 && read(fd, &byte, 1) == 0 ? 0 : 1);
	}
	return pid;
}

static void assert_owner_over(struct sockaddr *address, socklen_t size)
{
	US_CLEANUP(us_closep) int listener = socket(address->sa_family, SOCK_STREAM, 0);
	int accepted, status;
	uid_t uid = 0;
	pid_t pid;

	assert_int_equal(bind(listener, address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, address, &size), 0);
	pid = connect_as_other(address, size);
	accepted = accept(listener, NULL, NULL);
	assert_int_equal(us_peer_owner(accepted, &uid), 0);
	assert_int_equal(uid, OTHER_USER);
	close(accepted);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_loopback(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	testbed_run("ip link set lo up");
	assert_owner_over((struct sockaddr *)&v4, sizeof(v4));
	assert_owner_over((struct sockaddr *)&v6, sizeof(v6));
}

static void test_not_connected(void **state)
{
	US_CLEANUP(us_closep) int fd = socket(AF_INET, SOCK_STREAM, 0);
	uid_t uid;

	assert_int_equal(us_peer_owner(fd, &uid), -ENOTCONN);
	assert_int_equal(us_peer_owner(-1, &uid), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_not_connected),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests_name("peer-owner", tests, NULL, NULL);
}
