/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Readiness of a primary: frames really seen on its side.
 *
 * A guest that has registered the primary already discards what arrives on the standby, even
 * before the primary has a link. So readiness is shown by frames with the guest's source MAC that
 * come in through the primary's port, again and again over a while (some drivers bounce their
 * link after the first reply). They are provoked by unicast probes sent out of that port to the
 * guest's MAC: ARP requests (RFC 826) for the IPv4 addresses that the guest was seen to use, and
 * ICMPv6 echo requests (RFC 4443) to the link-local all-nodes group. Addresses are learned from
 * frames to and from the MAC on the standby's port, only while a watch runs, and from those
 * that us_watch_learn() is given: parked ones do not pass there.
 *
 * The answer to a probe may also come in at the standby's port: the guest listens on its primary
 * then, and does not send on it yet.
 *
 * A guest may have nothing to say and nobody who speaks to it: no address of it is known, nothing
 * that is sent to it waits. Then one frame from the primary (a driver says something when its link
 * comes up) has to do, if for a while none follows from the standby's side.
 *
 * A tap has nobody behind it but its VM, so that its source address shows who sent a frame. Behind
 * a PF are all of its network and its card's other VFs, and each of them can send in the guest's
 * name. There only answers count that were told a *nonce*, drawn anew by each watch: ARP probes
 * ask for the answer to be sent to a made-up MAC address, solicitations come from a made-up
 * link-local address. Nobody but the guest gets the probes, and its answers go no further than
 * here: the port listens for that MAC address, and the bridge has it for the host's own.
 *
 * Costs nothing outside of a watch: no socket is open then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/error.h"

struct us_watch;

struct us_watch_config {
	uint8_t mac[6];
	const char *standby_port;
	const char *primary_port;
	/* Only answers to probes count, with the nonce: others than the guest can send there, and
	 * a card may bring back what this host sends to a group in the guest's name. */
	bool answers_only;
	const char *vm_port;  /* that of both which is a tap: it goes with the VM */
	uint64_t probe_usec;  /* between probes: 20 ms */
	uint64_t stable_usec; /* frames have to keep coming for so long: 300 ms */
	uint64_t quiet_usec;  /* … or, from a silent guest, one, and then none for so long: 2 s */
};

struct us_watch_handler {
	/* It began to answer on the primary, or ceased to. NULL: nobody wants to know. */
	void (*answering)(void *userdata, bool is_answering);
	/* Whether the guest's driver has the primary started, as others cannot make it seem: asked
	 * for a silent guest, whose one frame may be another's. NULL: the frame will do. */
	bool (*is_started)(void *userdata);
	/* Once: @ready when the guest stably sends from the primary; false when it cannot be
	 * watched any more (@reason; else it is NULL). The watch is idle afterwards; it may be
	 * freed from here. */
	void (*traffic)(void *userdata, bool ready, const struct us_reason *reason);
};

/* Starts to watch and to probe. Borrows @loop, @handler and @userdata. */
int us_watch_new(struct us_watch **ret_watch, sd_event *loop, const struct us_watch_config *config,
		 const struct us_watch_handler *handler, void *userdata, struct us_reason *reason);
void us_watch_free(struct us_watch *watch);
US_DEFINE_CLEANUP(struct us_watch *, us_watch_free)

/* Learns the guest's addresses from a frame to or from it. Cheap; any bytes may come in. */
void us_watch_learn(struct us_watch *watch, const uint8_t *frame, size_t length);
