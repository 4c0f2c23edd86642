/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The source's side runs in three moments: before the stop (make ready what must be quick), at
 * the stop (park), and when the migration has completed (drain, send, and go on sending). The
 * destination's side is one method, without state of its own.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util/crash-point.h"
#include "daemon/migration/handoff.h"
#include "daemon/migration/stop-frames.h"
#include "net/frame/frame.h"
#include "net/frame/offload.h"
#include "util/base64.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/priority.h"

enum {
	HEADER_BYTES = 10, /* the virtio-net header of the API */
	FRAME_BYTES_MAX = HEADER_BYTES + 65536 + 18,
	/* Of JSON in one call, unless it is one frame, which may be longer: with the rest of the
	 * call either is less than the 128 KiB that a server takes. */
	BATCH_BYTES = 64 * 1024,
	PUNCTUATION_BYTES = 3, /* two quotes and a comma for each frame */
	LOOK_USEC = 5 * 1000,
	TURNS_MAX = 4096,	  /* of what may be held at a time by far the most */
	QUIET_USEC = 1000 * 1000, /* nothing came for so long: the network has converged */
};

struct us_handoff {
	struct us_host_vm *vm;
	struct us_handoff_peer peer;
	sd_event_source *timer;
	uint64_t seen_usec; /* when the last frame was taken */
	size_t frames;
	unsigned unanswered; /* calls */
	bool is_over;
	unsigned turns; /* that it took to send what was held */
	bool is_late;	/* all that was held is sent */
	void (*done)(void *userdata, int r, const char *why);
	void *userdata;

	/* The call being filled */
	const struct us_host_pair *pair;
	json_t *batch;
	size_t batch_bytes;
};

/* ---- Before the stop ---- */

static const char *const at_stop_names[] = {
	[US_STOP_METHOD_NONE] = NULL,
	[US_STOP_METHOD_DRAIN] = "drain",
	[US_STOP_METHOD_PREDICT] = "predict",
};
_Static_assert(US_ARRAY_LENGTH(at_stop_names) == US_STOP_METHOD_N, "a name for each");

const char *us_stop_method_name(enum us_stop_method at_stop)
{
	return at_stop_names[at_stop];
}

struct us_drain_process us_handoff_process(const struct us_host_pair *pair)
{
	return (struct us_drain_process){ .pidfd = us_vmm_pidfd(pair->vm->vmm),
					  .pid = us_vmm_pid(pair->vm->vmm) };
}

static void predict(struct us_host_pair *pair, enum us_stop_method before, const char *why)
{
	pair->at_stop = US_STOP_METHOD_PREDICT;
	if (before != US_STOP_METHOD_PREDICT)
		us_log(LOG_WARNING,
		       "%s: at a migration frames will be parked before the stop, as "
		       "predicted, and not drained after it: %s",
		       pair->name, why);
}

void us_stop_method_probe(struct us_host_pair *pair)
{
	struct us_drain_process process = us_handoff_process(pair);
	enum us_stop_method before = pair->at_stop;
	struct us_reason reason = { .text = "" };

	pair->at_stop = US_STOP_METHOD_NONE;
	if (process.pid <= 0 || !pair->engine.config.can_park)
		return;
	if (us_drain_check(&process, &reason) == 0)
		pair->at_stop = US_STOP_METHOD_DRAIN;
	else
		predict(pair, before, reason.text);
}

static void on_queues(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (r != 0)
		predict(pair, pair->at_stop, reason->text);
}

void us_stop_method_prepare(struct us_host_pair *pair)
{
	struct us_drain_process process = us_handoff_process(pair);
	struct us_reason reason = { .text = "" };
	int r;

	us_stop_method_probe(pair);
	if (pair->at_stop != US_STOP_METHOD_DRAIN || pair->drain)
		return;
	r = us_drain_new(&pair->drain, pair->vm->daemon->loop, &process, pair->port, on_queues,
			 pair, &reason);
	if (r != 0)
		predict(pair, pair->at_stop, r < 0 ? us_strerror(r) : reason.text);
}

enum us_stop_method us_stop_method_of_vm(const struct us_host_vm *vm)
{
	enum us_stop_method at_stop = US_STOP_METHOD_NONE;
	const struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (pair->at_stop > at_stop)
			at_stop = pair->at_stop;
	return at_stop;
}

void us_guest_stop_expect(struct us_host_vm *vm, bool is_near)
{
	if (is_near == (vm->expected_usec > 0))
		return;
	vm->expected_usec = is_near ? us_clock_usec(CLOCK_REALTIME) : 0;
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED, .on = is_near });
}

/* ---- At the stop ---- */

static void expect(struct us_host_pair *pair)
{
	struct us_reason reason = { .text = "" };
	int r = us_steer_make_park(pair->steer, &reason);

	if (r == 0 && !pair->unread)
		r = us_stop_frames_new(&pair->unread, pair, &reason);
	if (r != 0)
		us_log(LOG_WARNING, "%s: frames between the hosts may be lost: %s", pair->name,
		       r < 0 ? us_strerror(r) : reason.text);
	if (pair->at_stop == US_STOP_METHOD_DRAIN &&
	    !(pair->drain && us_drain_is_ready(pair->drain)))
		predict(pair, pair->at_stop, "QEMU's descriptors take too long to be looked at");
	if (pair->claims)
		return;
	r = us_claims_new(&pair->claims, pair->vm->daemon->loop, pair->port, pair->mac, &reason);
	if (r != 0)
		us_log(LOG_WARNING, "%s: no address of its guest will be announced: %s", pair->name,
		       r < 0 ? us_strerror(r) : reason.text);
}

void us_guest_stop_prepare(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		if (pair->steer && pair->engine.config.can_park)
			expect(pair);
}

void us_guest_stop_forget(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link) {
		us_stop_frames_free(US_STEAL(pair->unread));
		us_drain_free(US_STEAL(pair->drain));
		us_claims_free(US_STEAL(pair->claims));
		if (pair->steer)
			us_steer_drop_park(pair->steer);
	}
	vm->expected_usec = 0;
}

/* What the guest was let use during the transfer: what is older may be another's by now. */
static json_t *addresses_json(const struct us_host_pair *pair)
{
	char text[US_ADDRESS_TEXT_MAX];
	json_t *addresses = json_array();

	for (size_t i = 0; pair->claims && us_claims_address(pair->claims, i, text); i++)
		json_array_append_new(addresses, json_string(text));
	return addresses;
}

static json_t *call_json(const struct us_host_pair *pair, const char *token, const char *state,
			 json_t *frames)
{
	return json_pack("{s:s, s:s, s:s, s:s*, s:s, s:o, s:o}", "vm", pair->vm->name, "token",
			 token, "pair", pair->name, "group", pair->group[0] ? pair->group : NULL,
			 "state", state, "frames", frames, "addresses", addresses_json(pair));
}

/* A destination that does not hold what arrives costs order, nothing else. */
static void on_told(void *userdata, const char *error, const json_t *parameters, bool more)
{
	if (error)
		us_log(LOG_WARNING, "the destination does not park: %s", error);
}

/* One whose QEMU has given up needs not be told, and says so. */
static void on_resumption_told(void *userdata, const char *error, const json_t *parameters,
			       bool more)
{
}

void us_guest_stop_begin(struct us_host_vm *vm, const struct us_handoff_peer *peer,
			 uint64_t age_usec)
{
	struct us_host_pair *pair;

	/* First: until the device's state is saved QEMU holds its lock, and cannot read more. */
	us_list_for_each (pair, &vm->pairs, link)
		if (pair->unread)
			us_stop_frames_note_stop(pair->unread);
	vm->stopped_usec = us_clock_usec(CLOCK_REALTIME) - age_usec;
	us_list_for_each (pair, &vm->pairs, link)
		if (pair->engine.config.can_park)
			us_client_call(peer->client, "Handoff",
				       call_json(pair, peer->token, "stopped", json_array()), false,
				       on_told, NULL);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED, .on = true });
}

void us_guest_stop_undo(struct us_host_vm *vm, const struct us_handoff_peer *peer)
{
	struct us_host_pair *pair;

	us_arrival_announce(vm);
	vm->expected_usec = 0;
	us_list_for_each (pair, &vm->pairs, link)
		us_client_call(peer->client, "Handoff",
			       call_json(pair, peer->token, "late", json_array()), false,
			       on_resumption_told, NULL);
	us_host_vm_feed(vm, &(struct us_event){ .type = US_EVENT_STOPPED });
}

/* ---- What QEMU did not read, or read in vain ---- */

static bool holds(const struct us_host_pair *pair)
{
	return pair->steer && us_steer_park(pair->steer) &&
	       us_pair_path(&pair->engine) == US_PATH_PARKED;
}

/* Whether frames were parked early enough for QEMU to have read what there was. */
static bool was_predicted(const struct us_host_pair *pair)
{
	const struct us_host_vm *vm = pair->vm;

	if (pair->at_stop == US_STOP_METHOD_DRAIN || !vm->expected_usec ||
	    vm->expected_usec >= vm->stopped_usec)
		return false;
	us_log(LOG_INFO, "%s: parked %" PRIu64 " ms before its guest stopped, as predicted",
	       pair->name, (vm->stopped_usec - vm->expected_usec) / 1000);
	return true;
}

static void take(struct us_host_pair *pair)
{
	bool drains = pair->at_stop == US_STOP_METHOD_DRAIN;
	struct us_reason reason = { .text = "" };
	size_t read, taken;

	if (was_predicted(pair))
		return;
	if (!drains)
		us_refuse(&reason, "it stopped sooner than predicted, some may be lost");
	taken = us_stop_frames_take(pair->unread, drains, &read, &reason);
	us_log(reason.text[0] ? LOG_WARNING : LOG_INFO,
	       "%s: %zu frames taken that its guest had not got, %zu of them read by QEMU%s%s",
	       pair->name, taken, read, reason.text[0] ? ": " : "", reason.text);
}

void us_stop_frames_collect(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	vm->asked = 1; /* until all were begun */
	us_list_for_each (pair, &vm->pairs, link)
		if (pair->unread && holds(pair)) {
			vm->asked++;
			us_stop_frames_query(pair->unread);
		}
	us_stop_frames_queried(vm);
}

static void taken(struct us_host_vm *vm)
{
	if (--vm->asked == 0)
		us_source_frames_taken(vm);
}

static void on_drained(void *userdata, int r, const struct us_reason *reason)
{
	struct us_host_pair *pair = userdata;

	if (r != 0)
		us_log(LOG_WARNING, "%s: QEMU's queues cannot be read: %s", pair->name,
		       reason->text);
	if (pair->unread && holds(pair))
		take(pair);
	taken(pair->vm);
}

/* Those whose queues are to be read first are taken when they were. */
void us_stop_frames_queried(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	if (--vm->asked > 0)
		return;
	vm->asked = 1; /* until all were begun */
	us_list_for_each (pair, &vm->pairs, link) {
		if (!pair->unread || !holds(pair))
			continue;
		vm->asked++;
		if (pair->at_stop != US_STOP_METHOD_DRAIN || !pair->drain ||
		    us_drain_read(pair->drain, on_drained, pair) < 0)
			on_drained(pair, 0, NULL);
	}
	taken(vm);
}

/* ---- On their way ---- */

static void end(struct us_handoff *handoff, int r, const char *why)
{
	if (handoff->is_over)
		return;
	handoff->is_over = true;
	sd_event_source_set_enabled(handoff->timer, SD_EVENT_OFF);
	handoff->done(handoff->userdata, r, why);
}

static void on_answer(void *userdata, const char *error, const json_t *parameters, bool more)
{
	struct us_handoff *handoff = userdata;
	const char *message = json_string_value(json_object_get(parameters, "message"));

	handoff->unanswered--;
	if (error)
		end(handoff, US_REFUSED, message ? message : error);
}

static void send_batch(struct us_handoff *handoff)
{
	json_t *parameters;
	int r;

	if (!handoff->batch)
		return;
	parameters = call_json(handoff->pair, handoff->peer.token,
			       handoff->is_late ? "late" : "held", US_STEAL(handoff->batch));
	handoff->batch_bytes = 0;
	if (handoff->is_over) {
		json_decref(parameters);
		return;
	}
	r = us_client_call(handoff->peer.client, "Handoff", parameters, false, on_answer, handoff);
	if (r == 0)
		handoff->unanswered++;
	else
		end(handoff, r, us_strerror(r));
}

/* What the batch would be too long with goes into the next one. */
static void append(struct us_handoff *handoff, const char *text)
{
	size_t bytes = strlen(text) + PUNCTUATION_BYTES;

	if (handoff->batch_bytes + bytes > BATCH_BYTES)
		send_batch(handoff);
	if (!handoff->batch)
		handoff->batch = json_array();
	json_array_append_new(handoff->batch, json_string(text));
	handoff->batch_bytes += bytes;
	handoff->frames++;
	handoff->seen_usec = us_now_usec();
}

static void add_frame(void *userdata, const struct us_frame *frame)
{
	static uint8_t bytes[FRAME_BYTES_MAX];
	static char text[US_BASE64_SIZE(FRAME_BYTES_MAX)];
	struct us_handoff *handoff = userdata;
	const struct virtio_net_hdr *h = &frame->header;
	uint16_t words[] = { htole16(h->hdr_len), htole16(h->gso_size), htole16(h->csum_start),
			     htole16(h->csum_offset) };

	if (frame->length > sizeof(bytes) - HEADER_BYTES)
		return;
	bytes[0] = h->flags;
	bytes[1] = h->gso_type;
	memcpy(bytes + 2, words, sizeof(words));
	memcpy(bytes + HEADER_BYTES, frame->bytes, frame->length);
	us_base64_encode(bytes, HEADER_BYTES + frame->length, text);
	append(handoff, text);
}

/* Whether that was all. */
static bool send_some(struct us_handoff *handoff, struct us_host_pair *pair)
{
	bool is_all = true;

	handoff->pair = pair;
	/* What is being released already is not taken back: nobody would be told of its end. */
	if (holds(pair) && !us_pair_is_steering(&pair->engine))
		is_all = us_park_take(us_steer_park(pair->steer), add_frame, handoff);
	send_batch(handoff);
	return is_all;
}

static void tell_late(struct us_handoff *handoff)
{
	struct us_host_pair *pair;

	handoff->is_late = true;
	us_list_for_each (pair, &handoff->vm->pairs, link) {
		handoff->pair = pair;
		handoff->batch = json_array(); /* none yet: those were all that were held */
		send_batch(handoff);
	}
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct us_handoff *handoff = userdata;
	struct us_host_pair *pair;
	bool is_all = true;

	us_list_for_each (pair, &handoff->vm->pairs, link)
		is_all &= send_some(handoff, pair);
	/* Frames that come faster than they are taken are late as well. */
	if (!handoff->is_late && (is_all || ++handoff->turns == TURNS_MAX))
		tell_late(handoff);
	/* Others send them, without limit: those that do not go at once go in turn with clients. */
	sd_event_source_set_priority(source, is_all ? US_PRIORITY_HOST : US_PRIORITY_CHANGING);
	sd_event_source_set_time_relative(source, is_all ? LOOK_USEC : 0);
	if (!handoff->is_over && !handoff->unanswered &&
	    us_now_usec() - handoff->seen_usec >= QUIET_USEC)
		end(handoff, 0, NULL);
	return 0;
}

int us_handoff_new(struct us_handoff **ret_handoff, struct us_host_vm *vm,
		   const struct us_handoff_peer *peer,
		   void (*done)(void *userdata, int r, const char *why), void *userdata)
{
	struct us_handoff *handoff = calloc(1, sizeof(*handoff));
	int r;

	if (!handoff)
		return -ENOMEM;
	handoff->vm = vm;
	handoff->peer = *peer;
	handoff->seen_usec = us_now_usec();
	handoff->done = done;
	handoff->userdata = userdata;
	r = sd_event_add_time_relative(vm->daemon->loop, &handoff->timer, CLOCK_MONOTONIC, 0, 0,
				       on_look, handoff);
	if (r >= 0)
		r = sd_event_source_set_enabled(handoff->timer, SD_EVENT_ON);
	if (r < 0) {
		us_handoff_free(handoff);
		return r;
	}
	*ret_handoff = handoff;
	return 0;
}

void us_handoff_free(struct us_handoff *handoff)
{
	if (!handoff)
		return;
	sd_event_source_disable_unref(handoff->timer);
	json_decref(handoff->batch);
	free(handoff);
}

size_t us_handoff_frames(const struct us_handoff *handoff)
{
	return handoff->frames;
}

/* ---- At the destination ---- */

void us_arrival_announce(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link) {
		const char *primary = pair->primary.port[0] ? pair->primary.port : NULL;
		struct us_reason reason = { .text = "" };
		int r;

		us_announce_free(US_STEAL(pair->announce));
		r = us_announce_new(&pair->announce, vm->daemon->loop, pair->mac, pair->port,
				    primary, &reason);
		if (r != 0)
			us_log(LOG_WARNING, "%s: its arrival is not announced: %s", pair->name,
			       r < 0 ? us_strerror(r) : reason.text);
	}
}

void us_arrival_announce_end(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		us_announce_free(US_STEAL(pair->announce));
}

/* Once its guest is to go on, only its own QEMU knows when it stands still. */
static void feed_stopped(struct us_host_pair *pair, bool on)
{
	if (!us_pair_is_prepared(&pair->engine))
		us_host_pair_feed(pair, (struct us_event){ .type = US_EVENT_STOPPED, .on = on });
}

void us_handoff_end_parking(struct us_host_vm *vm)
{
	struct us_host_pair *pair;

	us_list_for_each (pair, &vm->pairs, link)
		feed_stopped(pair, false);
}

static void announce_more(struct us_host_pair *pair, const json_t *addresses)
{
	const json_t *address;
	size_t i;

	json_array_foreach (addresses, i, address)
		if (pair->announce && i < US_ADDRESSES_MAX) /* each costs a look at this host's */
			us_announce_add_address(pair->announce, json_string_value(address));
}

/* @ret_frame's bytes are valid until the next call. */
static int decode(const struct us_host_pair *pair, const char *text, struct us_frame *ret_frame,
		  struct us_reason *reason)
{
	static uint8_t bytes[FRAME_BYTES_MAX];
	uint16_t words[4];
	size_t length;

	if (us_base64_decode(text, bytes, sizeof(bytes), &length) < 0 || length < HEADER_BYTES ||
	    !us_frame_is_to(bytes + HEADER_BYTES, length - HEADER_BYTES, pair->mac))
		return us_refuse(reason, "pair %s: that is no frame for its MAC", pair->name);
	memcpy(words, bytes + 2, sizeof(words));
	ret_frame->header = (struct virtio_net_hdr){
		.flags = bytes[0],
		.gso_type = bytes[1],
		.hdr_len = le16toh(words[0]),
		.gso_size = le16toh(words[1]),
		.csum_start = le16toh(words[2]),
		.csum_offset = le16toh(words[3]),
	};
	ret_frame->bytes = bytes + HEADER_BYTES;
	ret_frame->length = length - HEADER_BYTES;
	if (!us_offload_is_valid(&ret_frame->header, ret_frame->length))
		return us_refuse(reason, "pair %s: the offload metadata does not fit its frame",
				 pair->name);
	return 0;
}

/* All are looked at before the first is delivered: what is refused has changed nothing. */
static int check_frames(const struct us_host_pair *pair, const json_t *frames,
			struct us_reason *reason)
{
	struct us_frame decoded;
	const json_t *frame;
	size_t i;

	json_array_foreach (frames, i, frame)
		if (decode(pair, json_string_value(frame), &decoded, reason) != 0)
			return US_REFUSED;
	return 0;
}

static int deliver_frames(struct us_host_pair *pair, const json_t *frames, struct us_reason *reason)
{
	struct us_frame decoded;
	const json_t *frame;
	size_t i;
	int r;

	json_array_foreach (frames, i, frame) {
		r = decode(pair, json_string_value(frame), &decoded, reason);
		if (r == 0)
			r = us_steer_deliver(pair->steer, &decoded, reason);
		if (r != 0)
			return r;
	}
	return 0;
}

void us_handoff_receive(struct us_host_vm *vm, struct us_call *call, const json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "pair"));
	const char *group = json_string_value(json_object_get(parameters, "group"));
	const char *state = json_string_value(json_object_get(parameters, "state"));
	const char *token = json_string_value(json_object_get(parameters, "token"));
	const json_t *frames = json_object_get(parameters, "frames");
	struct us_host_pair *pair = us_destination_pair(vm, name, group);
	struct us_reason reason = { .text = "" };
	int r;

	if (!us_admission_is_granted(&vm->admission, token)) {
		us_call_fail(call, "Refused",
			     "vm %s: that is no token of a migration to it that is under way",
			     vm->name);
		return;
	}
	if (!pair || !pair->steer) {
		us_call_fail(call, "NoSuchPair", "vm %s has no pair %s here", vm->name, name);
		return;
	}
	r = check_frames(pair, frames, &reason);
	if (r == 0 && strcmp(state, "held") != 0)
		feed_stopped(pair, strcmp(state, "stopped") == 0);
	if (r == 0)
		r = deliver_frames(pair, frames, &reason);
	if (r == 0)
		announce_more(pair, json_object_get(parameters, "addresses"));
	us_crash_point("handoff", state, NULL);
	if (r != 0)
		us_call_fail(call, "Refused", "%s", r < 0 ? us_strerror(r) : reason.text);
	else
		us_call_reply(call, NULL);
}
