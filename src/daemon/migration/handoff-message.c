/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of the method Handoff. */
#include <endian.h>
#include <string.h>

#include "daemon/migration/migration-private.h"
#include "net/frame/frame.h"
#include "net/presence/claims.h"

/* The addresses that the guest used during the transfer. An older one may belong to another guest
 * by now. */
static json_t *addresses_json(struct us_claims *claims)
{
	char text[US_ADDRESS_TEXT_MAX];
	json_t *addresses = json_array();

	for (size_t i = 0; claims && us_claims_address(claims, i, text); i++)
		json_array_append_new(addresses, json_string(text));
	return addresses;
}

int us_handoff_call(const struct us_handoff_peer *peer, const struct us_host_pair *pair,
		    const char *state, json_t *frames, us_client_answer_fn answer, void *userdata)
{
	const char *group = us_host_pair_spec(pair)->group;
	json_t *parameters = json_pack(
		"{s:s, s:s, s:s, s:s*, s:s, s:o, s:o}", "vm", us_host_vm_name(us_host_vm_of(pair)),
		"token", peer->token, "pair", us_host_pair_name(pair), "group",
		group[0] ? group : NULL, "state", state, "frames", frames, "addresses",
		addresses_json(us_migration_of_pair(pair)->claims));

	return us_client_call(peer->client, "Handoff", parameters, false, answer, userdata);
}

bool us_handoff_encode(const struct us_frame *frame, char ret_text[US_HANDOFF_TEXT_BYTES])
{
	static uint8_t bytes[US_HANDOFF_FRAME_BYTES];
	const struct virtio_net_hdr *h = &frame->header;
	uint16_t words[] = { htole16(h->hdr_len), htole16(h->gso_size), htole16(h->csum_start),
			     htole16(h->csum_offset) };

	if (frame->length > sizeof(bytes) - US_HANDOFF_HEADER_BYTES)
		return false;
	bytes[0] = h->flags;
	bytes[1] = h->gso_type;
	memcpy(bytes + 2, words, sizeof(words));
	memcpy(bytes + US_HANDOFF_HEADER_BYTES, frame->bytes, frame->length);
	us_base64_encode(bytes, US_HANDOFF_HEADER_BYTES + frame->length, ret_text);
	return true;
}

int us_handoff_decode(const struct us_host_pair *pair, const char *text, struct us_frame *ret_frame,
		      struct us_reason *reason)
{
	static uint8_t bytes[US_HANDOFF_FRAME_BYTES];
	const uint8_t *frame = bytes + US_HANDOFF_HEADER_BYTES;
	uint16_t words[4];
	size_t length;

	if (us_base64_decode(text, bytes, sizeof(bytes), &length) < 0 ||
	    length < US_HANDOFF_HEADER_BYTES ||
	    !us_frame_is_to(frame, length - US_HANDOFF_HEADER_BYTES, us_host_pair_spec(pair)->mac))
		return us_refuse(reason, "pair %s: this is not a frame for its MAC address",
				 us_host_pair_name(pair));
	memcpy(words, bytes + 2, sizeof(words));
	ret_frame->header = (struct virtio_net_hdr){
		.flags = bytes[0],
		.gso_type = bytes[1],
		.hdr_len = le16toh(words[0]),
		.gso_size = le16toh(words[1]),
		.csum_start = le16toh(words[2]),
		.csum_offset = le16toh(words[3]),
	};
	ret_frame->bytes = frame;
	ret_frame->length = length - US_HANDOFF_HEADER_BYTES;
	if (!us_offload_is_valid(&ret_frame->header, ret_frame->length))
		return us_refuse(reason, "pair %s: the offload metadata does not fit its frame",
				 us_host_pair_name(pair));
	return 0;
}
