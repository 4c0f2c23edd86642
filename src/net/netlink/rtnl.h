/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One exchange over netlink (netlink(7)): a request, its answers, its acknowledgement.
 *
 * Each exchange has its own socket, so nothing is left over from the one before: no late answer, no
 * overrun, no open descriptor between two calls. This costs a few microseconds.
 */
#pragma once

#include <libmnl/libmnl.h>

struct us_rtnl_request {
	struct nlmsghdr header;
	char rest[240]; /* enough for every request of ours */
};

/* The kernel's text of an error (NLMSGERR_ATTR_MSG), or the text for the errno. */
struct us_rtnl_error {
	char text[160];
};

/* A request that begins with @head, a struct of @size bytes. */
struct us_rtnl_request us_rtnl_request(uint16_t type, const void *head, size_t size);

/* A request about the interface with this index. */
struct us_rtnl_request us_rtnl_link_request(uint16_t type, int family, int index);

/*
 * Sends @request to rtnetlink (rtnetlink(7)) and calls @each (may be NULL) for every message of the
 * answer; it returns MNL_CB_OK to go on. Sets the request's sequence number and NLM_F_REQUEST, and
 * NLM_F_ACK unless the request has NLM_F_DUMP. Waits a second for an answer, and before that as
 * long as others hold the kernel's rtnetlink lock.
 *
 * Returns 0 or a negative errno with @ret_error (may be NULL) filled: the kernel's errno;
 * -ETIMEDOUT: no answer; -EINTR: a change overtook the dump, or -ENOBUFS: it did not fit: ask
 * again.
 */
int us_rtnl_exchange(struct nlmsghdr *request, mnl_cb_t each, void *userdata,
		     struct us_rtnl_error *ret_error);

/* The same with another protocol of netlink, a NETLINK_... */
int us_netlink_exchange(int protocol, struct nlmsghdr *request, mnl_cb_t each, void *userdata,
			struct us_rtnl_error *ret_error);
