/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An exchange with a kernel that is slow, or does not answer. The test replaces
 * mnl_socket_sendto().
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netlink/link.h"
#include "net/netlink/rtnl.h"
#include "support/testbed.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	LOCKED_USEC = 1300 * 1000, /* longer than the deadline for an answer */
};

static uint64_t locked_usec;
static bool is_lost;

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	usleep(locked_usec);
	if (is_lost)
		return length;
	return sendto(mnl_socket_get_fd(socket), bytes, length, 0, (const void *)&kernel,
		      sizeof(kernel));
}

static int setup(void **state)
{
	locked_usec = 0;
	is_lost = false;
	return 0;
}

/* Others had the lock: the answer arrives nevertheless, also several messages, and a dump. */
static void test_locked(void **state)
{
	struct us_reason reason = { .text = "" };
	struct us_link link;
	uint8_t many[sizeof(struct us_rtnl_request)] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(many);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(request, sizeof(*head));

	locked_usec = LOCKED_USEC;
	if (us_link_get("lo", &link, &reason) != 0)
		fail_msg("%s", reason.text);
	assert_int_equal(link.index, 1);

	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_DUMP;
	head->ifi_family = AF_UNSPEC;
	assert_int_equal(us_rtnl_exchange(request, NULL, NULL, NULL), 0);
}

static void test_no_answer(void **state)
{
	struct us_reason reason = { .text = "" };
	struct us_link link;
	uint64_t begin = us_now_usec();

	is_lost = true;
	assert_int_equal(us_link_get("lo", &link, &reason), -ETIMEDOUT);
	assert_true(us_now_usec() - begin >= US_USEC_PER_SEC / 2);
}

static void test_refused(void **state)
{
	struct us_reason reason = { .text = "" };
	struct us_link link;

	assert_int_equal(us_link_get("not-here", &link, &reason), US_REFUSED);
	assert_string_equal(reason.text,
			    "interface not-here: does not exist: create it, or name another one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_locked, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
		cmocka_unit_test_setup(test_refused, setup),
	};

	if (!testbed_enter())
		return TESTBED_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
