/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Watches a guest's traffic, to see when it uses its primary.
 *
 * A guest that has registered the primary discards frames on the standby, even before the primary
 * has a link. The proof that it receives on the primary is a frame with its source MAC address that
 * comes in through the primary's port, repeatedly over some time, because some drivers take
 * their link down after the first reply. The watch provokes such frames with unicast probes
 * through that port: ARP requests (RFC 826) for the guest's known IPv4 addresses, and ICMPv6 echo
 * requests (RFC 4443) to the link-local all-nodes group. It learns addresses from the guest's
 * frames on the standby's port while it runs, and from frames that us_watch_learn() gets: parked
 * frames do not pass that port.
 *
 * The answer to a probe may also come in at the standby's port: the guest receives on its primary
 * then, but does not send on it yet.
 *
 * A silent guest sends nothing, and nobody sends to it, so no address is known. Then one frame
 * from the primary (a driver sends something when its link comes up) is enough, if no frame from
 * the standby's side follows for some time.
 *
 * Only the VM is behind a tap, so a source address there proves the sender. Behind a PF are its
 * network and the card's other VFs, and each of them can forge the address. There only answers
 * count that repeat a *nonce*, a random number of each watch: an ARP probe asks for the answer to
 * be sent to a random MAC address, a solicitation comes from a random link-local address. Only the
 * guest gets the probes. Its answers end at this host: the port listens for the random MAC address,
 * and the bridge has it as the host's own.
 *
 * A socket is open only while a watch runs.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_watch;

struct us_watch_config {
	uint8_t mac[6];
	const char *standby_port;
	const char *primary_port;
	/* Only answers with the nonce count: others can send there in the guest's name, and a card
	 * may bring this host's multicast in the guest's name back. */
	bool answers_only;
	const char *vm_port;  /* the one of both ports that is a tap and belongs to the VM */
	uint64_t probe_usec;  /* between probes: 20 ms */
	uint64_t stable_usec; /* frames must keep coming for this time: 300 ms */
	uint64_t quiet_usec;  /* a silent guest: no frame from the standby for this time: 2 s */
};

struct us_watch_handler {
	/* The guest begins, or ceases, to answer on the primary. May be NULL. */
	void (*answering)(void *userdata, bool is_answering);
	/* Whether the guest's driver has started the primary, by a source that others cannot forge.
	 * Asked for a silent guest, whose one frame may be forged. NULL: the frame is enough. */
	bool (*is_started)(void *userdata);
	/* Once: @is_ready: the guest sends from the primary stably. Otherwise the interface is
	 * gone, with the @reason, which is NULL else. The watch is over; it may be freed from here.
	 */
	void (*traffic)(void *userdata, bool is_ready, const struct us_reason *reason);
};

/* Starts to watch and to probe. Borrows @loop, @handler and @userdata. */
int us_watch_new(struct us_watch **ret_watch, sd_event *loop, const struct us_watch_config *config,
		 const struct us_watch_handler *handler, void *userdata, struct us_reason *reason);
void us_watch_free(struct us_watch *watch);
US_DEFINE_CLEANUP(struct us_watch *, us_watch_free)

/* Learns the guest's addresses from a frame to or from it. Cheap; any bytes may come in. */
void us_watch_learn(struct us_watch *watch, const uint8_t *frame, size_t length);
