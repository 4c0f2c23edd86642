/* SPDX-License-Identifier: BSD-3-Clause */
/* Two lists of frames, and the account of their memory. */

#include "net/park/park-buffer.h"
#include "util/clock.h"

enum {
	RELEASE_DEFAULT_USEC = 8 * 1000 * 1000,
};

void us_park_buffer_init(struct us_park_buffer *buffer, const struct us_park_limits *limits)
{
	*buffer = (struct us_park_buffer){ .limits = *limits };
	if (!buffer->limits.frames)
		buffer->limits.frames = US_PARK_FRAMES;
	if (!buffer->limits.bytes)
		buffer->limits.bytes = US_PARK_BYTES;
	if (!buffer->limits.release_usec)
		buffer->limits.release_usec = RELEASE_DEFAULT_USEC;
	us_list_init(&buffer->earlier);
	us_list_init(&buffer->own);
}

void us_park_buffer_deinit(struct us_park_buffer *buffer)
{
	struct us_parked_frame *frame;

	while ((frame = us_park_buffer_next(buffer, NULL)))
		us_park_buffer_drop(buffer, frame);
}

static void use_memory(struct us_park_buffer *buffer, int64_t bytes)
{
	struct us_park_budget *budget = buffer->limits.budget;

	buffer->bytes += bytes;
	if (!budget)
		return;
	budget->used += bytes;
	if (budget->used_max < budget->used)
		budget->used_max = budget->used;
}

static bool may_use_memory(struct us_park_buffer *buffer, uint64_t bytes)
{
	struct us_park_budget *budget = buffer->limits.budget;

	if (buffer->bytes + bytes > buffer->limits.bytes)
		return false;
	if (!budget || budget->used + bytes <= budget->limit)
		return true;
	budget->overflowed++;
	return false;
}

unsigned int us_park_weight(const struct virtio_net_hdr *header, size_t length)
{
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE || header->gso_size == 0)
		return 1;
	return 1 + length / header->gso_size;
}

struct us_parked_frame *us_park_buffer_append(struct us_park_buffer *buffer, bool is_earlier,
					      unsigned int weight, size_t length)
{
	struct us_parked_frame *frame = NULL;
	uint64_t size = sizeof(*frame) + length;

	if (buffer->frames < buffer->limits.frames && may_use_memory(buffer, size))
		frame = malloc(size);
	if (!frame) {
		buffer->overflowed++;
		return NULL;
	}
	frame->length = length;
	frame->weight = weight;
	if (buffer->frames == 0)
		buffer->since_usec = us_now_usec();
	us_list_append(is_earlier ? &buffer->earlier : &buffer->own, &frame->link);
	use_memory(buffer, size);
	buffer->weight += weight;
	buffer->total++;
	buffer->total_bytes += length;
	if (++buffer->frames > buffer->frames_max)
		buffer->frames_max = buffer->frames;
	return frame;
}

struct us_parked_frame *us_park_buffer_next(struct us_park_buffer *buffer,
					    const struct us_parked_frame *frame)
{
	const struct us_list *next = frame ? frame->link.next : buffer->earlier.next;

	if (next == &buffer->earlier)
		next = buffer->own.next;
	return next == &buffer->own ? NULL : US_CONTAINER_OF(next, struct us_parked_frame, link);
}

void us_park_buffer_drop(struct us_park_buffer *buffer, struct us_parked_frame *frame)
{
	us_list_remove(&frame->link);
	use_memory(buffer, -(int64_t)(sizeof(*frame) + frame->length));
	buffer->weight -= frame->weight;
	buffer->frames--;
	free(frame);
}
