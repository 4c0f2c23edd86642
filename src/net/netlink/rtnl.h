/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One exchange with rtnetlink (rtnetlink(7)): a request, its answers, its acknowledgement.
 *
 * Each exchange has a socket of its own, so that nothing is left over from the one before: no
 * late answer, no overrun, no descriptor between two calls. That costs a few microseconds.
 */
#pragma once

#include <libmnl/libmnl.h>

enum {
	US_RTNL_REQUEST_MAX = 256, /* bytes; enough for every request of ours */
};

/* What the kernel says about a refusal (NLMSGERR_ATTR_MSG), or the words for the errno. */
struct us_rtnl_error {
	char text[160];
};

/*
 * Sends @request (its flags get NLM_F_REQUEST, its sequence number is set here; NLM_F_ACK is
 * added unless it asks for data with NLM_F_DUMP) and calls @each, which may be NULL, for every
 * message of the answer: MNL_CB_OK to go on. Waits for an answer for a second, and before that for
 * as long as others hold the kernel's lock.
 *
 * Returns 0 or a negative errno: the kernel's, with @ret_words (may be NULL) filled; -ETIMEDOUT
 * when no answer came; -EINTR when a dump was overtaken by a change, -ENOBUFS when one did not
 * fit: ask again.
 */
int us_rtnl_exchange(struct nlmsghdr *request, mnl_cb_t each, void *userdata,
		     struct us_rtnl_error *ret_words);
