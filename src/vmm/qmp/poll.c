/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qmp/poll.h"

int us_qmp_poll_init(struct us_qmp_poll *poll, int64_t id, us_qmp_answer_fn changed, void *userdata,
		     const char *command, const char *format, ...)
{
	va_list arguments;
	int r;

	assert(id < 0);
	*poll = (struct us_qmp_poll){ .id = id, .changed = changed, .userdata = userdata };
	us_list_init(&poll->link);
	va_start(arguments, format);
	r = us_qmp_message_make(&poll->text, id, command, format, arguments);
	va_end(arguments);
	if (r == 0)
		poll->length = strlen(poll->text);
	return r;
}

void us_qmp_poll_deinit(struct us_qmp_poll *poll)
{
	if (!poll->text)
		return;
	us_list_remove(&poll->link);
	free(poll->text);
	*poll = (struct us_qmp_poll){ 0 };
}

void us_qmp_poll_forget(struct us_qmp_poll *poll)
{
	poll->seen = 0;
}

static void end(struct us_qmp_poll *poll)
{
	us_list_remove(&poll->link);
	poll->is_outstanding = false;
}

void us_qmp_poll_answered(struct us_qmp_poll *poll, uint64_t hash)
{
	end(poll);
	poll->seen = hash;
}

void us_qmp_polls_init(struct us_qmp_polls *polls)
{
	*polls = (struct us_qmp_polls){ 0 };
	us_list_init(&polls->outstanding);
}

void us_qmp_polls_forget(struct us_qmp_polls *polls)
{
	struct us_qmp_poll *poll;

	us_list_for_each (poll, &polls->outstanding, link)
		end(poll);
}

bool us_qmp_polls_ask(struct us_qmp_polls *polls, struct us_qmp_poll *poll)
{
	if (poll->is_outstanding)
		return false;
	poll->is_outstanding = true;
	us_list_append(&polls->outstanding, &poll->link);
	if (poll->id < polls->lowest_id)
		polls->lowest_id = poll->id;
	return true;
}

struct us_qmp_poll *us_qmp_polls_find(struct us_qmp_polls *polls, int64_t id)
{
	struct us_qmp_poll *poll;

	us_list_for_each (poll, &polls->outstanding, link)
		if (poll->id == id)
			return poll;
	return NULL;
}

/* Not safe against forgery: who can forge an answer owns the socket, and thus the guest. */
static uint64_t hash_line(const char *text, size_t length)
{
	uint64_t hash = length + 1, word;

	for (; length >= sizeof(word); text += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	word = 0;
	memcpy(&word, text, length);
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (hash ^ (hash >> 32)) | 1;
}

/* The id is part of the line, so the answers of two polls are never equal. */
bool us_qmp_polls_match(struct us_qmp_polls *polls, const char *line, size_t length,
			uint64_t *ret_hash)
{
	struct us_qmp_poll *poll;

	*ret_hash = 0;
	if (us_list_is_empty(&polls->outstanding))
		return false;
	*ret_hash = hash_line(line, length);
	us_list_for_each (poll, &polls->outstanding, link)
		if (poll->seen == *ret_hash) {
			end(poll);
			return true;
		}
	return false;
}
