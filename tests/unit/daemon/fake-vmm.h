/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VMM that follows a script: it implements vmm/vmm.h for one VM. It writes down each request of
 * the daemon, and answers it from the loop with success, with a refusal, or not at all.
 */
#pragma once

#include "vmm/vmm.h"

enum fake_request {
	FAKE_CONFIGURE,
	FAKE_RESTORE,
	FAKE_START,
	FAKE_CANCEL,
	FAKE_LISTEN,
	FAKE_PROGRESS,
	FAKE_UNPLUG,
	FAKE_HAS_DEVICE,
	FAKE_LOCATE_QUEUE,
	FAKE_OTHER,
	FAKE_REQUESTS
};

struct fake_script {
	bool is_silent[FAKE_REQUESTS];	      /* does not answer */
	const char *refusal[FAKE_REQUESTS];   /* NULL: success */
	bool completes_at_cancel;	      /* the transfer ends before FAKE_CANCEL is answered */
	struct us_transfer_progress progress; /* the answer to FAKE_PROGRESS */
	struct us_vmm_queue queue;	      /* the answer to FAKE_LOCATE_QUEUE */
	uint8_t mac[US_MAC_BYTES];	      /* of the standby */
	int pid, pidfd;			      /* of the VMM; 0: unknown */
};

extern struct fake_script fake_script;

/* The VMM reports @event. */
void fake_emit(struct us_vmm_event event);

/* Adds a word to the trace. */
void fake_trace(const char *word);
/* The trace since the last call: words with a space between them. Valid until the next call. */
const char *fake_take_trace(void);
