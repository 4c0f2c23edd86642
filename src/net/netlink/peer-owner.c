/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP has no credentials. But the other end of a connection over the loopback is a socket of this
 * host. The kernel finds it by its two addresses, and knows its owner.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink/peer-owner.h"
#include "net/netlink/rtnl.h"

/* Writes an address and returns its port, both in network byte order. */
static uint16_t put_address(const struct sockaddr_storage *address, __be32 ret_words[4])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->ss_family == AF_INET) {
		memcpy(ret_words, &v4->sin_addr, sizeof(v4->sin_addr));
		return v4->sin_port;
	}
	memcpy(ret_words, &v6->sin6_addr, sizeof(v6->sin6_addr));
	return v6->sin6_port;
}

static int take_answer(const struct nlmsghdr *header, void *userdata)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);

	if (mnl_nlmsg_get_payload_len(header) >= sizeof(*message))
		*(uid_t *)userdata = message->idiag_uid;
	return MNL_CB_OK;
}

/* Asks for the other end: our peer's address is its local one. */
static int ask_for_owner(int fd, uid_t *ret_uid)
{
	struct inet_diag_req_v2 head = {
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ~0u,
		.id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
	};
	struct sockaddr_storage ours = { 0 }, theirs = { 0 };
	socklen_t our_size = sizeof(ours), their_size = sizeof(theirs);
	struct us_rtnl_request request;
	uid_t uid = (uid_t)-1;
	int r;

	if (getsockname(fd, (struct sockaddr *)&ours, &our_size) < 0 ||
	    getpeername(fd, (struct sockaddr *)&theirs, &their_size) < 0)
		return -errno;
	if (ours.ss_family != AF_INET && ours.ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	head.sdiag_family = ours.ss_family;
	head.id.idiag_sport = put_address(&theirs, head.id.idiag_src);
	head.id.idiag_dport = put_address(&ours, head.id.idiag_dst);
	request = us_rtnl_request(SOCK_DIAG_BY_FAMILY, &head, sizeof(head));
	r = us_netlink_exchange(NETLINK_SOCK_DIAG, &request.header, take_answer, &uid, NULL);
	if (r < 0)
		return r;
	*ret_uid = uid;
	return uid == (uid_t)-1 ? -ENOENT : 0;
}

int us_peer_owner(int fd, uid_t *ret_uid)
{
	struct ucred credentials;
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) < 0)
		return -errno;
	if (domain != AF_UNIX)
		return ask_for_owner(fd, ret_uid);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials,
		       &(socklen_t){ sizeof(credentials) }) < 0)
		return -errno;
	*ret_uid = credentials.uid;
	return 0;
}
