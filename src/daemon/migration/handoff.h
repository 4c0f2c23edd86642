/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handoff: the source's daemon sends frames for a guest that has left to the destination's daemon,
 * with the method Handoff. Their order is kept: first the frames that QEMU has not delivered
 * (guest-stop.c), then the frames parked since the stop, then late frames, which the network still
 * sends to the source.
 */
#pragma once

#include <jansson.h>

#include "net/park/park.h"
#include "understudy/client.h"
#include "util/base64.h"
#include "util/error.h"

struct us_handoff;
struct us_host_pair;
struct us_host_vm;

/* ---- handoff-message.c: the method Handoff, org.understudy.Control(7) ---- */

enum {
	US_HANDOFF_HEADER_BYTES = 10, /* the virtio-net header before each frame */
	US_HANDOFF_FRAME_BYTES =
		US_HANDOFF_HEADER_BYTES + 65536 + 18, /* at most, with the header */
	US_HANDOFF_TEXT_BYTES = US_BASE64_SIZE(US_HANDOFF_FRAME_BYTES),
};

/* The destination's daemon. */
struct us_handoff_peer {
	struct us_client *client; /* a handoff borrows it */
	char token[128];	  /* struct us_admission */
};

/*
 * Makes one call. @state: "stopped" (the guest has just stopped), "held" (@frames are undelivered
 * or parked ones) or "late" (all of those have been sent). Takes @frames, an array of texts of
 * us_handoff_encode(). 0 or a negative errno: then @answer is not called.
 */
int us_handoff_call(const struct us_handoff_peer *peer, const struct us_host_pair *pair,
		    const char *state, json_t *frames, us_client_answer_fn answer, void *userdata);

/* Writes a frame as text. False: the frame is longer than a tap allows. */
bool us_handoff_encode(const struct us_frame *frame, char ret_text[US_HANDOFF_TEXT_BYTES]);

/*
 * Reads a frame for @pair's guest. The bytes of @ret_frame are valid until the next call. 0, or
 * US_REFUSED: the frame is not for the guest's MAC address, or does not fit its offload metadata.
 */
int us_handoff_decode(const struct us_host_pair *pair, const char *text, struct us_frame *ret_frame,
		      struct us_reason *reason);

/* ---- handoff-send.c: the source ---- */

/* @reason: why the handoff failed; NULL: the destination accepted all frames. */
typedef void (*us_handoff_done_fn)(void *userdata, const struct us_reason *reason);

/*
 * Sends all frames that @vm's pairs park. Ends when no frame has come for a second and each call
 * was answered, or when a call was refused; then calls @done once, which must not free the handoff.
 * 0 or a negative errno.
 */
int us_handoff_new(struct us_handoff **ret_handoff, struct us_host_vm *vm,
		   const struct us_handoff_peer *peer, us_handoff_done_fn done, void *userdata);
void us_handoff_free(struct us_handoff *handoff);

/* Frames sent so far. */
size_t us_handoff_frames(const struct us_handoff *handoff);

/* ---- handoff-receive.c: the destination, which keeps no state of its own ---- */

/* Of the timer `arriving` of a VM: the source is late, so no more frames are waited for. */
void us_handoff_receive_end(void *vm);
