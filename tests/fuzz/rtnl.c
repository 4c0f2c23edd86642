/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a buffer of rtnetlink messages, walked as an answer is. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink/decode.h"
#include "net/vf/sriov-state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct nlmsghdr *message)
{
	struct us_sriov_state vf;
	struct us_fdb_entry entry;
	struct us_link link;
	char name[IF_NAMESIZE];
	char words[32];
	int error;

	if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
		error = us_decode_error(message, words, sizeof(words));
		assert(error <= 0 && error >= -4095);
		assert(memchr(words, '\0', sizeof(words)));
	}
	if (us_decode_link(message, &link))
		assert(memchr(link.name, '\0', sizeof(link.name)));
	us_decode_fdb(message, &entry);
	us_decode_fdb_change(message, &entry);
	if (us_decode_link_change(message, name))
		assert(memchr(name, '\0', sizeof(name)));
	us_sriov_state_decode(message, 0, &vf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly this size, so that the sanitizer sees a read behind its end. */
	void *copy = malloc(size ? size : 1);
	const struct nlmsghdr *message = copy;
	int left = size;

	assert(copy);
	if (size)
		memcpy(copy, data, size);
	for (; us_decode_is_whole(message, left); message = mnl_nlmsg_next(message, &left))
		decode(message);
	free(copy);
	return 0;
}
