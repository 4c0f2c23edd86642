/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handoff: frames that reach the source host for a guest that has left it follow the guest, through
 * calls of the destination's daemon, in order. The park buffers begin with the frames that QEMU did
 * not deliver (guest-stop.h). Then follow the frames parked since the stop, then late ones, which
 * the network still sends to the source.
 */
#pragma once

#include <jansson.h>

#include "net/steer/park.h"
#include "util/base64.h"
#include "util/error.h"

struct us_call;
struct us_client;
struct us_handoff;
struct us_host_pair;
struct us_host_vm;

/* ---- handoff-message.c: the parameters of the method Handoff, org.understudy.Control(7) ---- */

enum {
	US_HANDOFF_HEADER_BYTES = 10, /* the virtio-net header before each frame */
	US_HANDOFF_FRAME_BYTES =
		US_HANDOFF_HEADER_BYTES + 65536 + 18, /* at most, with the header */
	US_HANDOFF_TEXT_BYTES = US_BASE64_SIZE(US_HANDOFF_FRAME_BYTES),
};

/* The destination's daemon. Borrows both. */
struct us_handoff_peer {
	struct us_client *client;
	const char *token; /* from its reply to Receive: it admits the caller */
};

/*
 * The parameters of one call. @state: "stopped", "held" or "late". Takes @frames, an array of texts
 * from us_handoff_encode().
 */
json_t *us_handoff_message(const struct us_host_pair *pair, const struct us_handoff_peer *peer,
			   const char *state, json_t *frames);

/* Writes a frame as text. False: it is longer than any frame of a tap. */
bool us_handoff_encode(const struct us_frame *frame, char ret_text[US_HANDOFF_TEXT_BYTES]);

/*
 * Reads a frame for @pair's guest. The bytes of @ret_frame are valid until the next call. 0, or
 * US_REFUSED: it is no frame for that MAC address, or its offload metadata does not fit it.
 */
int us_handoff_decode(const struct us_host_pair *pair, const char *text, struct us_frame *ret_frame,
		      struct us_reason *reason);

/* ---- handoff-send.c: the source ---- */

/* @reason: why it failed; NULL: all frames were sent and accepted. */
typedef void (*us_handoff_done_fn)(void *userdata, const struct us_reason *reason);

/*
 * Sends all that @vm's pairs park, until no frame has come for a second and each call was answered,
 * or one was refused; then calls @done, once. Goes on sending until it is freed; @done may free it.
 * 0 or a negative errno.
 */
int us_handoff_new(struct us_handoff **ret_handoff, struct us_host_vm *vm,
		   const struct us_handoff_peer *peer, us_handoff_done_fn done, void *userdata);
void us_handoff_free(struct us_handoff *handoff);

/* Frames sent so far. */
size_t us_handoff_frames(const struct us_handoff *handoff);

/*
 * ---- handoff-receive.c: the destination ----
 *
 * It has no state of its own. Each call says whether the source's guest is stopped, and brings
 * frames, which are delivered before those that this host has parked.
 */

/* The method Handoff. */
void us_handoff_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters);
/* The source has not sent all it had in time: parking for it ends. */
void us_handoff_receive_end(struct us_host_vm *vm);
