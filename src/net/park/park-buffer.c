/* SPDX-License-Identifier: BSD-3-Clause */
/* Two logs of frames, and the account of their memory. */
#include <sys/mman.h>

#include "net/park/park-buffer.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum {
	CHUNK_FRAMES = 4, /* of the longest: one more must fit before a frame is read */
	SPARES_MAX = 4,
	RELEASE_DEFAULT_USEC = 8 * 1000 * 1000,
};

/* ---- A log ---- */

struct us_park_chunk {
	struct us_park_chunk *next;
	uint32_t begin, end; /* of its frames, in space[] */
	uint8_t space[CHUNK_FRAMES * (sizeof(struct us_parked_frame) + US_PARK_FRAME_MAX)];
};

/* Frames are aligned. */
static uint32_t size_of(const struct us_parked_frame *frame)
{
	return (sizeof(*frame) + frame->length + 7) / 8 * 8;
}

static bool has_room(const struct us_park_chunk *chunk)
{
	return chunk->end + sizeof(struct us_parked_frame) + US_PARK_FRAME_MAX <=
	       sizeof(chunk->space);
}

/* Not by malloc(3), which would keep the memory for this process. */
static struct us_park_chunk *new_chunk(void)
{
	struct us_park_chunk *chunk = mmap(NULL, sizeof(*chunk), PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return chunk == MAP_FAILED ? NULL : chunk;
}

static struct us_park_chunk *log_grow(struct us_park_log *log)
{
	struct us_park_chunk *chunk = log->spare;

	if (chunk) {
		log->spare = chunk->next;
		log->spares--;
		chunk->next = NULL;
	} else if (!(chunk = new_chunk())) {
		return NULL;
	}
	if (log->newest)
		log->newest->next = chunk;
	else
		log->oldest = chunk;
	return log->newest = chunk;
}

/* Pages that were used before cost much less than new ones: a release frees and needs chunks. */
static void log_drop_chunk(struct us_park_log *log, unsigned int spares_max)
{
	struct us_park_chunk *chunk = log->oldest;

	log->oldest = chunk->next;
	if (log->spares >= spares_max) {
		munmap(chunk, sizeof(*chunk));
		return;
	}
	chunk->begin = chunk->end = 0;
	chunk->next = log->spare;
	log->spare = chunk;
	log->spares++;
}

static void log_deinit(struct us_park_log *log)
{
	for (int i = 0; i < 2; i++) {
		while (log->oldest)
			log_drop_chunk(log, 0);
		log->oldest = US_STEAL(log->spare);
	}
	*log = (struct us_park_log){ 0 };
}

static struct us_parked_frame *log_oldest(const struct us_park_log *log)
{
	struct us_park_chunk *chunk = log->oldest;

	return chunk && chunk->begin < chunk->end
		       ? (struct us_parked_frame *)(chunk->space + chunk->begin)
		       : NULL;
}

/* Only the newest chunk may be empty. */
static void log_drop(struct us_park_log *log)
{
	struct us_park_chunk *chunk = log->oldest;

	chunk->begin += size_of(log_oldest(log));
	if (chunk->begin < chunk->end)
		return;
	if (chunk->next)
		log_drop_chunk(log, SPARES_MAX);
	else
		chunk->begin = chunk->end = 0;
}

/* ---- The buffer ---- */

void us_park_buffer_init(struct us_park_buffer *buffer, const struct us_park_limits *limits)
{
	*buffer = (struct us_park_buffer){ .limits = *limits };
	if (!buffer->limits.frames)
		buffer->limits.frames = US_PARK_FRAMES;
	if (!buffer->limits.bytes)
		buffer->limits.bytes = US_PARK_BYTES;
	if (!buffer->limits.release_usec)
		buffer->limits.release_usec = RELEASE_DEFAULT_USEC;
}

void us_park_buffer_deinit(struct us_park_buffer *buffer)
{
	while (buffer->frames > 0)
		us_park_buffer_drop(buffer);
	log_deinit(&buffer->earlier);
	log_deinit(&buffer->own);
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

struct us_parked_frame *us_park_buffer_room(struct us_park_buffer *buffer, bool is_earlier)
{
	struct us_park_log *log = is_earlier ? &buffer->earlier : &buffer->own;
	struct us_park_chunk *chunk = log->newest;

	if (!chunk || !has_room(chunk))
		chunk = log_grow(log);
	if (chunk)
		return (struct us_parked_frame *)(chunk->space + chunk->end);
	buffer->overflowed++;
	return NULL;
}

bool us_park_buffer_append(struct us_park_buffer *buffer, bool is_earlier,
			   const struct us_parked_frame *frame)
{
	struct us_park_log *log = is_earlier ? &buffer->earlier : &buffer->own;
	uint32_t size = size_of(frame);

	if (buffer->frames >= buffer->limits.frames || !may_use_memory(buffer, size)) {
		buffer->overflowed++;
		return false;
	}
	if (buffer->frames == 0)
		buffer->since_usec = us_now_usec();
	log->newest->end += size;
	use_memory(buffer, size);
	buffer->weight += frame->weight;
	buffer->total++;
	buffer->total_bytes += frame->length;
	if (++buffer->frames > buffer->frames_max)
		buffer->frames_max = buffer->frames;
	return true;
}

const struct us_parked_frame *us_park_buffer_next(const struct us_park_buffer *buffer,
						  struct us_park_cursor *cursor)
{
	const struct us_parked_frame *frame;

	if (!cursor->log)
		*cursor = (struct us_park_cursor){ .log = &buffer->earlier,
						   .chunk = buffer->earlier.oldest };
	for (;;) {
		const struct us_park_chunk *chunk = cursor->chunk;

		if (chunk && cursor->offset < chunk->begin)
			cursor->offset = chunk->begin;
		if (chunk && cursor->offset < chunk->end)
			break;
		cursor->offset = 0;
		if (chunk)
			cursor->chunk = chunk->next;
		else if (cursor->log == &buffer->own)
			return NULL;
		else
			*cursor = (struct us_park_cursor){ .log = &buffer->own,
							   .chunk = buffer->own.oldest };
	}
	frame = (const struct us_parked_frame *)(cursor->chunk->space + cursor->offset);
	cursor->offset += size_of(frame);
	return frame;
}

uint32_t us_park_buffer_drop(struct us_park_buffer *buffer)
{
	struct us_park_log *log = log_oldest(&buffer->earlier) ? &buffer->earlier : &buffer->own;
	const struct us_parked_frame *frame = log_oldest(log);

	uint32_t weight = frame->weight;

	use_memory(buffer, -(int64_t)size_of(frame));
	buffer->weight -= weight;
	buffer->frames--;
	log_drop(log);
	return weight;
}
