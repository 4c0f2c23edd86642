/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Polls: questions that are asked often and whose answers seldom change.
 *
 * The text of a poll is made once and its id is constant, so an unchanged answer is the same line,
 * byte for byte. It is recognized by its hash and not parsed.
 */
#pragma once

#include "util/list.h"
#include "vmm/qmp/message.h"

struct us_qmp_poll {
	struct us_list link; /* among those that are outstanding */
	char *text;
	size_t length;
	int64_t id;
	uint64_t seen; /* hash of the last answer; 0: none */
	bool is_outstanding;
	us_qmp_answer_fn changed;
	void *userdata;
};

/*
 * @id is negative and unique among the polls of a connection. @changed is called with an answer
 * that differs from the last one. Returns 0, -EINVAL or -ENOMEM.
 */
int us_qmp_poll_init(struct us_qmp_poll *poll, int64_t id, us_qmp_answer_fn changed, void *userdata,
		     const char *command, const char *format, ...);
/* Harmless for one that is all zero, or was deinitialised before. */
void us_qmp_poll_deinit(struct us_qmp_poll *poll);

/* The next answer is reported, even if it is the same. */
void us_qmp_poll_forget(struct us_qmp_poll *poll);

/* ---- For the connection, qmp.c ---- */

struct us_qmp_polls {
	struct us_list outstanding;
	int64_t lowest_id; /* of any poll that was asked */
};

void us_qmp_polls_init(struct us_qmp_polls *polls);
/* The connection ended: no answer is outstanding. */
void us_qmp_polls_forget(struct us_qmp_polls *polls);
/* Makes @poll outstanding. False if it is so already. */
bool us_qmp_polls_ask(struct us_qmp_polls *polls, struct us_qmp_poll *poll);
struct us_qmp_poll *us_qmp_polls_find(struct us_qmp_polls *polls, int64_t id);

/*
 * Whether a line is an unchanged answer; its poll is then no longer outstanding. Otherwise
 * *@ret_hash is for us_qmp_poll_answered().
 */
bool us_qmp_polls_match(struct us_qmp_polls *polls, const char *line, size_t length,
			uint64_t *ret_hash);
void us_qmp_poll_answered(struct us_qmp_poll *poll, uint64_t hash);
