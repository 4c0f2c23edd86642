/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of understudy/client.h, with a limit for a peer that is not trusted. */
#pragma once

#include "understudy/client.h"

/* Like us_client_new(); an answer of more than @answer_bytes ends the connection. */
int us_client_new_limited(struct us_client **ret_client, sd_event *loop, const char *host,
			  size_t answer_bytes);
