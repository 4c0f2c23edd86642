/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One exchange with rtnetlink (rtnetlink(7)): a request, its answers, its acknowledgement.
 *
 * Each exchange has its own socket, so nothing is left over from the one before: no late answer, no
 * overrun, no open descriptor between two calls. This costs a few microseconds.
 */
#pragma once

#include <libmnl/libmnl.h>

enum {
	US_RTNL_REQUEST_MAX = 256, /* bytes; enough for every request of ours */
};

/* The kernel's text of an error (NLMSGERR_ATTR_MSG), or the text for the errno. */
struct us_rtnl_error {
	char text[160];
};

/* Begins a request about the interface with this index; @buffer has US_RTNL_REQUEST_MAX bytes. */
struct nlmsghdr *us_rtnl_put_link(char *buffer, uint16_t type, int family, int index);

/*
 * Sends @request and calls @each (may be NULL) for every message of the answer; it returns
 * MNL_CB_OK to go on. Sets the request's sequence number and NLM_F_REQUEST, and NLM_F_ACK unless
 * the request has NLM_F_DUMP. Waits a second for an answer, and before that as long as others hold
 * the kernel's rtnetlink lock.
 *
 * Returns 0 or a negative errno with @ret_error (may be NULL) filled: the kernel's errno;
 * -ETIMEDOUT: no answer; -EINTR: a change overtook the dump, or -ENOBUFS: it did not fit: ask
 * again.
 */
int us_rtnl_exchange(struct nlmsghdr *request, mnl_cb_t each, void *userdata,
		     struct us_rtnl_error *ret_error);
