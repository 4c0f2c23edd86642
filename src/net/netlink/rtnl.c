/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One exchange over netlink. With rtnetlink, the kernel answers while sendto(2) runs, and makes
 * each part of a dump while the part before is received. If others hold its lock, these calls wait
 * for them, and no timeout applies. Afterwards the answer is there; the deadline is for an answer
 * that is not.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "net/netlink/decode.h"
#include "net/netlink/rtnl.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"

#define DEADLINE_USEC US_USEC_PER_SEC

struct exchange {
	struct mnl_socket *socket;
	unsigned int sequence;
	mnl_cb_t each;
	void *userdata;
	struct us_rtnl_error error;
	bool done;
};

US_DEFINE_CLEANUP(struct mnl_socket *, mnl_socket_close)

static int open_socket(int protocol, struct mnl_socket **ret_socket)
{
	const struct timeval timeout = { .tv_sec = DEADLINE_USEC / US_USEC_PER_SEC };
	int one = 1;
	US_CLEANUP(mnl_socket_closep)
	struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) < 0)
		return -errno;
	/* Optional: they make the answers more precise. */
	mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret_socket = US_STEAL(socket);
	return 0;
}

/* Handles one message of the answer: 0 or a negative errno. The last message sets `done`. */
static int on_message(struct exchange *exchange, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
		exchange->done = true;
		return us_decode_error(message, exchange->error.text, sizeof(exchange->error.text));
	}
	if (message->nlmsg_type >= NLMSG_MIN_TYPE && exchange->each &&
	    exchange->each(message, exchange->userdata) != MNL_CB_OK)
		return -errno;
	return 0;
}

static int receive(struct exchange *exchange)
{
	unsigned int port = mnl_socket_get_portid(exchange->socket);
	/* One message describes all VFs of an interface, up to 256. */
	char buffer[65536 + 4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message = (const void *)buffer;
	ssize_t length;
	int left, r;

	length = mnl_socket_recvfrom(exchange->socket, buffer, sizeof(buffer));
	if (length < 0)
		return errno == EAGAIN ? -ETIMEDOUT : errno == EINTR ? 0 : -errno;

	left = length;
	for (; us_decode_is_whole(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (!mnl_nlmsg_portid_ok(message, port) ||
		    !mnl_nlmsg_seq_ok(message, exchange->sequence))
			continue;
		r = on_message(exchange, message);
		if (r < 0 || exchange->done)
			return r;
	}
	return 0;
}

static int talk(struct exchange *exchange, struct nlmsghdr *request)
{
	int r;

	request->nlmsg_flags |= NLM_F_REQUEST;
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	request->nlmsg_seq = exchange->sequence = 1;

	if (mnl_socket_sendto(exchange->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		r = receive(exchange);
	} while (r == 0 && !exchange->done);
	return r;
}

struct us_rtnl_request us_rtnl_request(uint16_t type, const void *head, size_t size)
{
	struct us_rtnl_request request = { .rest = "" };

	mnl_nlmsg_put_header(&request);
	request.header.nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(&request.header, size), head, size);
	return request;
}

struct us_rtnl_request us_rtnl_link_request(uint16_t type, int family, int index)
{
	const struct ifinfomsg head = { .ifi_family = family, .ifi_index = index };

	return us_rtnl_request(type, &head, sizeof(head));
}

int us_netlink_exchange(int protocol, struct nlmsghdr *request, mnl_cb_t each, void *userdata,
			struct us_rtnl_error *ret_error)
{
	struct exchange exchange = { .each = each, .userdata = userdata };
	US_CLEANUP(mnl_socket_closep) struct mnl_socket *socket = NULL;
	int r = open_socket(protocol, &socket);

	if (r == 0) {
		exchange.socket = socket;
		r = talk(&exchange, request);
	}
	if (r < 0 && ret_error) {
		if (!exchange.error.text[0])
			snprintf(exchange.error.text, sizeof(exchange.error.text), "%s",
				 us_strerror(r));
		*ret_error = exchange.error;
	}
	return r;
}

int us_rtnl_exchange(struct nlmsghdr *request, mnl_cb_t each, void *userdata,
		     struct us_rtnl_error *ret_error)
{
	return us_netlink_exchange(NETLINK_ROUTE, request, each, userdata, ret_error);
}
