/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The method Handoff: frames for the guest, as text, in a call of another daemon. The frames of an
 * accepted call are parked as they were sent and in their order; a refused call parks none.
 *
 * An input is a byte of flags and a list of frames. Before each frame is a byte that encodes its
 * length. If that byte is even, the target writes the bytes that follow as text; if it is odd, they
 * are the text.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/codec.h"
#include "daemon/migration/migration-private.h"
#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "fuzz/scene.h"
#include "net/steer/steer.h"
#include "util/base64.h"
#include "util/stream.h"
#include "util/unix-socket.h"

enum {
	FRAMES_MAX = 64,
	BYTES_MAX = 1024,
	HEADER_BYTES = 10,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct us_daemon the_daemon;
static struct us_host_vm *vm;
static struct us_host_pair *pair;
static struct us_stream *client;
static bool is_answered, is_taken;

struct sent {
	uint8_t bytes[BYTES_MAX];
	size_t length;
};

static void on_message(void *userdata, char *text, size_t length)
{
	struct us_wire_answer answer;

	us_scene_must(us_wire_read_answer(&answer, text, length) == 0);
	is_answered = true;
	is_taken = !answer.error;
	us_wire_answer_deinit(&answer);
}

static void on_closed(void *userdata, int error)
{
	us_scene_must(false);
}

static void connect_client(void)
{
	static const struct us_stream_handler handler = { on_message, on_closed };
	const struct us_stream_limits limits = { 1 << 20, 1 << 20 };
	int fd;

	us_scene_must(us_connect_unix(the_daemon.socket_path, &fd) == 0);
	us_scene_must(us_stream_new(&client, the_daemon.loop, fd, '\0', limits, &handler, NULL) ==
		      0);
}

static void begin(void)
{
	struct us_reason reason;

	us_scene_init(&the_daemon);
	us_scene_must(us_rpc_serve(the_daemon.rpc, the_daemon.loop, the_daemon.socket_path, -1,
				   &reason) == 0);
	/* The VM has no QEMU, so only this target changes the pair's path. */
	us_scene_must(us_host_vm_new(&vm, the_daemon.vms, "web", "/run/none") == 0);
	pair = us_scene_add_pair(vm, "web0", 0);
	us_scene_must(us_host_pair_steer(pair) &&
		      us_steer_to(us_host_pair_steer(pair), US_PATH_PARKED, &reason) == 0);
	us_scene_must(us_admission_grant(&us_migration_of_vm(vm)->admission) == 0);
	connect_client();
}

/* ---- Sending ---- */

static unsigned word(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

/* The rules of virtio 1.2, section 5.1.6, written independently of the code under test. */
static bool is_metadata_good(const uint8_t *header, unsigned length)
{
	unsigned start = word(header + 6), field = start + word(header + 8);
	bool is_plain_gso = header[1] == 1 || header[1] == 3 || header[1] == 4 || header[1] == 5;
	bool is_ecn_gso = header[1] == 0x81 || header[1] == 0x84;

	if (header[0] > 2 || word(header + 2) > length)
		return false;
	if (header[0] == 1 && (start < 14 || field + 2 > length))
		return false;
	return header[1] == 0 || ((is_plain_gso || is_ecn_gso) && word(header + 4) > 0);
}

static bool is_good_frame(const uint8_t *bytes, size_t length)
{
	return length >= HEADER_BYTES + 14 &&
	       memcmp(bytes + HEADER_BYTES, us_scene_macs[0], US_MAC_BYTES) == 0 &&
	       is_metadata_good(bytes, length - HEADER_BYTES);
}

/* Returns whether it is a frame for the guest. */
static bool add_frame(json_t *frames, const uint8_t *bytes, size_t length)
{
	char text[US_BASE64_SIZE(BYTES_MAX)];

	us_base64_encode(bytes, length, text);
	json_array_append_new(frames, json_string(text));
	return is_good_frame(bytes, length);
}

static bool add_text(json_t *frames, const uint8_t *bytes, size_t length, uint8_t *ret_bytes,
		     size_t *ret_length)
{
	char text[BYTES_MAX + 1];

	memcpy(text, bytes, length);
	text[length] = '\0';
	json_array_append_new(frames, us_wire_string(text));
	return us_base64_decode(text, ret_bytes, BYTES_MAX, ret_length) == 0 &&
	       is_good_frame(ret_bytes, *ret_length);
}

/* Returns whether all of them are frames for the guest. */
static bool add_frames(json_t *frames, const uint8_t *data, size_t size, struct sent *sent,
		       size_t *ret_count)
{
	bool is_good = true;

	*ret_count = 0;
	while (size > 0 && *ret_count < FRAMES_MAX) {
		size_t length = (data[0] / 2) * 8;
		bool is_text = data[0] % 2;
		struct sent *next = &sent[(*ret_count)++];

		data++;
		size--;
		if (length > size)
			length = size;
		if (is_text) {
			is_good &= add_text(frames, data, length, next->bytes, &next->length);
		} else {
			is_good &= add_frame(frames, data, length);
			memcpy(next->bytes, data, length);
			next->length = length;
		}
		data += length;
		size -= length;
	}
	return is_good;
}

/* ---- Receiving ---- */

struct taken {
	const struct sent *sent;
	size_t count;
};

static void on_frame(void *userdata, const struct us_frame *frame)
{
	struct taken *taken = userdata;
	const struct sent *sent = &taken->sent[taken->count++];

	us_scene_must(frame->length == sent->length - HEADER_BYTES);
	us_scene_must(memcmp(frame->bytes, sent->bytes + HEADER_BYTES, frame->length) == 0);
	us_scene_must(frame->header.flags == sent->bytes[0]);
	us_scene_must(frame->header.gso_type == sent->bytes[1]);
}

/* The token, no token, another one, or a part of it. */
static const char *token_for(uint8_t flags)
{
	static char token[US_ADMISSION_TEXT];

	memcpy(token, us_migration_of_vm(vm)->admission.token, sizeof(token));
	if (flags & 4)
		token[flags >> 4] ^= 1;
	if (flags & 8)
		token[flags >> 4] = '\0';
	return (flags & 0xc) == 0xc ? NULL : token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sent sent[FRAMES_MAX];
	struct taken taken = { .sent = sent };
	json_t *frames = json_array();
	US_CLEANUP(us_freep) char *text = NULL;
	size_t count;
	bool is_good;

	if (!the_daemon.loop)
		begin();
	if (size < 1) {
		json_decref(frames);
		return 0;
	}
	is_good = add_frames(frames, data + 1, size - 1, sent, &count);
	text = us_wire_write_call("org.understudy.Control.Handoff",
				  json_pack("{s:s, s:s*, s:s, s:s*, s:s, s:o}", "vm", "web",
					    "token", token_for(data[0]), "pair", "web0", "group",
					    data[0] & 1 ? "none" : NULL, "state",
					    data[0] & 2 ? "" : "held", "frames", frames),
				  false);
	us_scene_must(text && us_stream_send(client, text, strlen(text)) == 0);
	is_answered = false;
	us_scene_settle(&the_daemon);
	us_scene_must(is_answered && is_taken == (is_good && !(data[0] & 0xe)));

	us_park_take(us_steer_park(us_host_pair_steer(pair)), on_frame, &taken);
	us_scene_must(taken.count == (is_taken ? count : 0));
	return 0;
}
