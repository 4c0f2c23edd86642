/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture of the frames that left through a port most recently, for a short time. It shows which
 * frames a VMM has consumed without delivering them (README.md).
 *
 * Frames have numbers, from 1, in the order in which they left; 0 stands for an unknown frame. A
 * frame in the capture is valid until the next one comes.
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/frame/frame.h"
#include "util/cleanup.h"
#include "util/error.h"

struct us_capture;

/*
 * Captures frames that leave through @port's transmit queue @queue (-1: any), from now on. @mac is
 * the guest's. Borrows @loop. Refused: no such interface, or it cannot be captured.
 */
int us_capture_new(struct us_capture **ret_capture, sd_event *loop, const char *port,
		   const uint8_t mac[6], int queue, struct us_reason *reason);
void us_capture_free(struct us_capture *capture); /* NULL is fine */
US_DEFINE_CLEANUP(struct us_capture *, us_capture_free)

bool us_capture_has(struct us_capture *capture, const struct us_frame *frame);

/*
 * The frame before the last one that equals @next; with @next NULL, the last frame. NULL: unknown,
 * because @next did not leave or is too old, or frames were missed.
 */
const struct us_frame *us_capture_before(struct us_capture *capture, const struct us_frame *next);

/* The number of the last frame before @next; with @next NULL, of the last frame. */
uint64_t us_capture_newest(struct us_capture *capture, const struct us_frame *next);

/* The same for the last frame before @next that begins with @start, @length bytes. */
uint64_t us_capture_number(struct us_capture *capture, const uint8_t *start, size_t length,
			   const struct us_frame *next);

/*
 * Whether each frame after @number up to @last took exactly one of the guest's buffers, if the
 * guest received it: none was missed, none is long, and each is to the guest or broadcast.
 */
bool us_capture_took_one_buffer_each(struct us_capture *capture, uint64_t number, uint64_t last);

/*
 * The frames to the guest's MAC address between frame @number and @next (NULL: the end), the oldest
 * first. Returns how many; -ENOENT: one of the two is unknown, or there are more than @max.
 */
int us_capture_after(struct us_capture *capture, uint64_t number, const struct us_frame *next,
		     const struct us_frame **ret_frames, size_t max);
